"""Who asks, from the header Authorization and nothing else."""

from __future__ import annotations

from fastapi import Request

from skysift.archive.policy import ANONYMOUS, LOCAL, User
from skysift.base.errors import SignInError
from skysift.serve.auth.people import People

__all__ = ["known", "quickly_known", "who"]


def who(request: Request, people: People, *, tokens: bool) -> User:
    """The user who asks.

    Parameters
    ----------
    request
        What is asked.
    people
        The users.
    tokens
        Whether users are known by tokens; else all who ask are the local user.

    Raises
    ------
    SignInError
        A token was sent that does not hold; it is never taken for nobody's.
    """
    if not tokens:
        return LOCAL
    told = request.headers.get("authorization")
    if told is None:
        return ANONYMOUS
    scheme, _, text = told.partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise SignInError(
            "the header Authorization is not understood",
            got=scheme[:20],
            allowed="Authorization: Bearer TOKEN",
        )
    return people.of_token(text.strip())


def quickly_known(request: Request, people: People) -> bool:
    """Whether the database need not be asked for who asks."""
    told = request.headers.get("authorization")
    return told is None or people.remembers(told.partition(" ")[2].strip())


def known(user: User) -> User:
    """The user, who said who they are.

    Raises
    ------
    SignInError
        They did not.
    """
    if not user.known:
        raise SignInError("this needs to know who asks", todo="send the header `Authorization: Bearer TOKEN`")
    return user
