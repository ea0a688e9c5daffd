"""Who belongs to a share of the users."""

from __future__ import annotations

from hashlib import blake2b


def in_rollout(flag: str, user: str, percentage: float) -> bool:
    """Tell whether a user belongs to this share of a flag's users.

    The hash of flag and user is a place between 0 and 100: the same in every process and for ever, evenly spread, and
    other for each flag. Who is below 10 is below 50.
    """
    digest = blake2b(f"{flag}\0{user}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    place = (int.from_bytes(digest, "big") >> 11) / 2**53  # 53 bits: more would be rounded up to 1, outside of 100 %
    return place < percentage / 100
