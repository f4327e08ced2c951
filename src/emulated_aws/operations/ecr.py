"""Templates for image repositories that do not exist yet."""

from typing import Any

from emulated_aws.operations.protocol import Call, Failure
from emulated_aws.operations.store import Things, now

TEMPLATE = "ecr repository creation template"


def answer(call: Call, template: Any) -> Any:
    """Return a template in ECR's form."""
    return {"registryId": call.account_id, "repositoryCreationTemplate": template}


def create(things: Things, call: Call) -> Any:
    """Create a template."""
    prefix = call.parameters["prefix"]
    if things.get(TEMPLATE, call.region, prefix):
        raise Failure("TemplateAlreadyExistsException", f"A template for {prefix} exists already.")
    made = {
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "imageTagMutability": "MUTABLE",
        **call.parameters,
        "createdAt": now(),
        "updatedAt": now(),
    }
    return answer(call, things.put(TEMPLATE, call.region, prefix, made))


def template_of(things: Things, call: Call) -> dict[str, Any]:
    """Return the template that a call names."""
    prefix = call.parameters["prefix"]
    found = things.get(TEMPLATE, call.region, prefix)
    if found is None:
        problem = f"The repository creation template of the prefix '{prefix}' does not exist"
        raise Failure("TemplateNotFoundException", problem)
    return found


def describe(things: Things, call: Call) -> Any:
    """List all templates, or the named ones."""
    prefixes = call.parameters.get("prefixes")
    found = [
        one
        for one in things.all(TEMPLATE, call.region)
        if one["prefix"] in (prefixes or [one["prefix"]])
    ]
    if prefixes and not found:
        problem = f"The repository creation templates {prefixes} do not exist"
        raise Failure("TemplateNotFoundException", problem)
    return {"registryId": call.account_id, "repositoryCreationTemplates": found}


def update(things: Things, call: Call) -> Any:
    """Update a template; parameters left out keep their values."""
    found = template_of(things, call)
    found |= {name: value for name, value in call.parameters.items() if value is not None}
    found["updatedAt"] = now()
    return answer(call, found)


def delete(things: Things, call: Call) -> Any:
    """Remove a template."""
    found = template_of(things, call)
    things.remove(TEMPLATE, call.region, found["prefix"])
    return answer(call, found)


OPERATIONS = {
    "CreateRepositoryCreationTemplate": create,
    "DeleteRepositoryCreationTemplate": delete,
    "DescribeRepositoryCreationTemplates": describe,
    "UpdateRepositoryCreationTemplate": update,
}
