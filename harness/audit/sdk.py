"""The AWS SDK: clients for one region, and its many kinds of error as one sentence. Nothing else imports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from .model import Missing, Names, Unread

__all__ = ["Clients", "NotAnswered", "ask", "connect", "nobody_answers"]

_CONNECT, _READ = 5, 30
"""Seconds for one attempt."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Clients of botocore."""

    v1: Any
    v2: Any
    acm: Any
    names: Names
    endpoint: str
    """Where API Gateway is asked."""


class NotAnswered(Exception):
    """A call that gave nothing to judge by; ``what`` tells why."""

    def __init__(self, what: Unread | Missing) -> None:
        super().__init__(what.why)
        self.what = what


def connect(*, endpoint_url: str | None = None, region: str | None = None, profile: str | None = None) -> Clients:
    """Clients as the user's AWS configuration wants them. Nothing is sent yet.

    Raises UsageError without the SDK, a region or the profile, or for an endpoint that is no URL.
    """
    try:
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise UsageError(
            "audit: expected boto3, saw that it is not installed. Install it: pip install 'pytest-mtls[aws]'."
        ) from error
    try:
        session = botocore.session.Session(profile=profile)
        name = region or session.get_config_variable("region")
        if not name:
            raise UsageError("--region: expected a region, saw none. Give one, or set AWS_DEFAULT_REGION.")
        config = Config(connect_timeout=_CONNECT, read_timeout=_READ, user_agent_extra="pytest-mtls-audit")
        v1, v2, acm = (
            session.create_client(service, region_name=name, endpoint_url=endpoint_url, config=config)
            for service in ("apigateway", "apigatewayv2", "acm")
        )
        return Clients(v1, v2, acm, Names(region=name, partition=_partition(session, name)), str(v1.meta.endpoint_url))
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"audit: expected a usable AWS configuration, saw: {_one_line(error)}. Mend it.") from error


def ask(client: Any, method: str, **arguments: Any) -> dict[str, Any]:
    """What *method* of *client* answers. Raises NotAnswered; UsageError where there are no credentials to ask with."""
    from botocore import exceptions as known

    operation = client.meta.method_to_api_mapping[method]
    try:
        answer: dict[str, Any] = getattr(client, method)(**arguments)
    except known.ClientError as error:
        raise NotAnswered(_refusal(operation, error.response)) from error
    except (
        known.NoCredentialsError,
        known.PartialCredentialsError,
        known.CredentialRetrievalError,
        known.TokenRetrievalError,
        known.SSOError,
        known.NoAuthTokenError,
    ) as error:
        raise UsageError(
            f"audit: expected AWS credentials, saw: {_one_line(error)}. Give --profile, or set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY."
        ) from error
    except known.BotoCoreError as error:
        raise NotAnswered(Unread(f"{operation}: {_one_line(error)}")) from error
    except Exception as error:  # the SDK's parser and HTTP library have errors of their own for what is no answer
        raise NotAnswered(Unread(f"{operation}: no answer that can be read: {_one_line(error)}")) from error
    return answer


def nobody_answers(error: NotAnswered) -> bool:
    """Whether there was no answer at all, which is no finding about any resource."""
    from botocore import exceptions as known

    return isinstance(error.__cause__, known.ConnectionError | known.HTTPClientError)


def _refusal(operation: str, response: dict[str, Any]) -> Unread | Missing:
    said, status = response.get("Error", {}), response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    code = str(said.get("Code", status))
    why = f"{operation}: {code}: {_one_line(said.get('Message') or 'no message')}"
    if code in ("NotFoundException", "ResourceNotFoundException"):
        return Missing(why)
    return Unread(why, unsupported=status == 501 or code == "NotImplementedException")


def _partition(session: Any, region: str) -> str:
    from botocore.exceptions import BotoCoreError

    try:
        return str(session.get_partition_for_region(region))
    except BotoCoreError:
        return "aws"  # a region that the SDK does not know yet


def _one_line(said: object) -> str:
    return " ".join(str(said).split())[:240].rstrip(".")
