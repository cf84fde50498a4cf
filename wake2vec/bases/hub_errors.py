"""What went wrong with the Hugging Face hub, in words for people: what, at which key, and what to do.

No text of the library's own errors is passed on: it may quote a request's headers, and with them a token.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from wake2vec.errors import UserError

ROOM = (
    "Free some space, or move the cache to a larger disk: set HF_HOME to a folder there (export "
    "HF_HOME=/large/disk/huggingface) and run the same command again."
)


@contextmanager
def explained(repo: str, revision: str, base: str) -> Iterator[None]:
    """Around calls of the hub's library, and nothing else: whatever they raise becomes a UserError in our words."""
    from huggingface_hub import constants, get_token

    try:
        token = get_token()
        if token and not re.fullmatch(r"[!-~]+", token):
            raise UserError(
                f"bases.{base}.repo: the hub's token (HF_TOKEN, or the one that `hf auth login` stored) holds a "
                "character that no token has, such as a space or a letter with an accent. Copy it again from "
                f"{constants.ENDPOINT}/settings/tokens."
            )
        yield
    except UserError:
        raise
    except Exception as error:
        causes = [error]
        while following := causes[-1].__cause__ or causes[-1].__context__:
            causes.append(following)
        said = _access(causes, repo, revision, f"bases.{base}") or _transfer(causes, repo, revision, f"bases.{base}")
        # `from None`, and no word of `error` itself: see above
        raise UserError(said) from None


def _among(causes: list[BaseException], *kinds: type) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _status(causes: list[BaseException]) -> int | None:
    """The hub's answer, where it gave one."""
    from huggingface_hub.errors import HfHubHTTPError

    return next((cause.response.status_code for cause in causes if isinstance(cause, HfHubHTTPError)), None)


def _access(causes: list[BaseException], repo: str, revision: str, base: str) -> str | None:
    """The hub was reached, and does not have it or does not give it."""
    from huggingface_hub import constants, errors, get_token

    page, status, token = f"{constants.ENDPOINT}/{repo}", _status(causes), get_token()
    log_in = (
        f"make a read token at {constants.ENDPOINT}/settings/tokens, and log in with `hf auth login` or set HF_TOKEN"
    )
    gated = _among(causes, errors.GatedRepoError)
    if _among(causes, errors.HFValidationError):
        return f"{base}.repo: {repo!r} is no repository's name. Accepted: owner/name, as in the address of its page."
    if _among(causes, errors.DisabledRepoError):
        return f"{base}.repo: the hub has disabled {repo}. Choose another repository of the same model."
    if gated and not token:
        return (
            f"{base}.repo: {repo} is gated, and no token is set. Open {page} and accept its licence there, {log_in}. "
            "Then run the same command again."
        )
    if gated or (status == 403 and token):
        return (
            f"{base}.repo: {repo} may not be read with the token that is set. Open {page} with the token's account "
            "(`hf auth whoami` names it) and accept the licence; some owners grant access by hand, which takes a "
            "while: the page says so. A fine-grained token also needs the permission to read public gated repositories."
        )
    if _among(causes, errors.RevisionNotFoundError):
        return (
            f"{base}.revision: {repo} has no revision {revision!r}. Accepted: a branch, a tag or the hash of a commit; "
            f"they are listed at {page}/commits/main."
        )
    if _among(causes, errors.RepositoryNotFoundError):
        private = "that the token that is set may read" if token else f"(if it is private: {log_in})"
        return f"{base}.repo: the hub has no repository {repo} {private}. Check its name against the page's address."
    if status == 401:
        return (
            f"{base}.repo: the hub does not accept the token that is set (HF_TOKEN, or the one that `hf auth login` "
            f"stored): it may have expired. Unset it, or {log_in}."
        )
    return None


def _transfer(causes: list[BaseException], repo: str, revision: str, base: str) -> str:
    """It may be had, and did not arrive."""
    from httpx2 import TransportError
    from huggingface_hub import constants, errors

    elsewhere = (
        f"Without a network, run `hf download {repo} --revision {revision}` elsewhere and copy the cache here "
        "(HF_HOME), or put the checkpoint in a folder and use `kind: path`."
    )
    if any(getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT) for cause in causes):
        return f"{base}.repo: the disk of the hub's cache, {constants.HF_HUB_CACHE}, is full. {ROOM}"
    if constants.is_offline_mode():
        return (
            f"{base}.repo: {repo} at {revision} is not in the hub's cache, {constants.HF_HUB_CACHE}, as a whole, and "
            f"HF_HUB_OFFLINE forbids to fetch it. {elsewhere}"
        )
    if status := _status(causes):
        return (
            f"{base}.repo: the hub answered {status} for {repo} at {revision}. Run the same command again later: files "
            f"that are complete are kept. If it stays so, look at {constants.ENDPOINT}/{repo}."
        )
    if _among(causes, errors.RevisionResolutionError, errors.CachedRepoTreeNotFoundError, TransportError, OSError):
        reason = next((cause for cause in causes if isinstance(cause, TransportError)), causes[0])
        return (
            f"{base}.repo: {repo} at {revision} could not be fetched from {constants.ENDPOINT} "
            f"({type(reason).__name__}). Check the network (behind a proxy, HTTPS_PROXY) and run the same command "
            f"again: files that are complete are kept. {elsewhere}"
        )
    return (
        f"{base}.repo: {repo} at {revision} could not be fetched ({type(causes[0]).__name__}). Run the same command "
        "again; if it fails again, try HF_HUB_DISABLE_XET=1, which downloads without hf-xet."
    )
