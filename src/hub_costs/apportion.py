"""Divide an exact amount without losing or making any of it."""

from collections.abc import Sequence
from decimal import Decimal

UNITS = 10**12  # the smallest amount there is: 1e-12 of the currency


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole shares of `total` in proportion to `weights` that sum to it exactly.

    Largest remainder: each share is rounded towards zero, and the units left over go to the largest
    remainders, the earlier one first where they are equal. `total` may be negative, weights may
    not; at least one must be positive.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("weights must not be negative and one must be positive")
    sign, amount = (-1 if total < 0 else 1), abs(total)
    shares = [amount * weight // whole for weight in weights]
    left = amount - sum(shares)
    order = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % whole), i))
    for i in order[:left]:
        shares[i] += 1
    return [sign * share for share in shares]


def units(amount: Decimal) -> int:
    """Return an amount as a whole number of 1e-12."""
    scaled = amount.scaleb(12)
    if scaled != (result := int(scaled)):
        raise ValueError(f"{amount} has more than 12 decimals")
    return result


def amount(number: int) -> Decimal:
    """Return a whole number of 1e-12 as an amount, exact at any size."""
    sign, digits = (1 if number < 0 else 0), tuple(map(int, str(abs(number))))
    return Decimal((sign, digits, -12))


def cents(amounts: Sequence[int]) -> list[int]:
    """Round amounts (in 1e-12) to cents so that they sum to their total's cents (half to even)."""
    cent = UNITS // 100
    total, rest = divmod(sum(amounts), cent)
    total += 2 * rest > cent or (2 * rest == cent and total % 2 == 1)
    floors = [value // cent for value in amounts]
    left = total - sum(floors)
    order = sorted(range(len(amounts)), key=lambda i: (-(amounts[i] % cent), i))
    for i in order[:left]:
        floors[i] += 1
    return floors
