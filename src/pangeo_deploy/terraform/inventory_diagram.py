"""What the HCL declares, as a diagram: the modules, or the resources of one module."""

from collections import Counter

from pangeo_deploy.terraform.inventory import Inventory
from proof_book.figures.diagram import Box, Diagram, essential


def modules(inventory: Inventory) -> Diagram:
    """Return the modules, with how many resources of which service each declares."""
    boxes = {}
    for module in inventory.modules:
        counts = Counter(one.service for one in inventory.resources if one.module == module)
        boxes[module] = Box(
            module, (", ".join(f"{name} {n}" for name, n in sorted(counts.items())),)
        )
    return Diagram(boxes, inventory.module_references())


def resources(inventory: Inventory, module: str) -> Diagram:
    """Return the resources of one module."""
    boxes = {
        one.address: Box(one.type.removeprefix("aws_"), (one.name,))
        for one in inventory.resources
        if one.module == module
    }
    inside = {
        (one, other): 1 for one, other in inventory.references if one in boxes and other in boxes
    }
    return Diagram(boxes, essential(inside))
