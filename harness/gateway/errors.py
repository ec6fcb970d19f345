"""What the control plane answers when it refuses: API Gateway's error codes with their statuses."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

__all__ = ["STATUSES", "ApiError", "bad_request", "conflict", "limit_exceeded", "not_found"]

STATUSES: Mapping[str, int] = {
    "BadRequestException": HTTPStatus.BAD_REQUEST,
    "UnauthorizedException": HTTPStatus.UNAUTHORIZED,
    "NotFoundException": HTTPStatus.NOT_FOUND,
    "ConflictException": HTTPStatus.CONFLICT,
    "LimitExceededException": HTTPStatus.TOO_MANY_REQUESTS,
    "TooManyRequestsException": HTTPStatus.TOO_MANY_REQUESTS,
    "NotImplementedException": HTTPStatus.NOT_IMPLEMENTED,
    # ACM's own; it answers every one of them with 400.
    "ResourceInUseException": HTTPStatus.BAD_REQUEST,
    "ResourceNotFoundException": HTTPStatus.BAD_REQUEST,
    "ValidationException": HTTPStatus.BAD_REQUEST,
}
"""The status of each code that botocore's service model declares, and of the one for what is not emulated."""


class ApiError(Exception):
    """An operation is refused: *code* goes into ``x-amzn-ErrorType``, *message* into the body.

    *members* are further members of the body (``resourceType`` of v2's 404, for one).
    """

    def __init__(
        self, code: str, message: str, *, status: int | None = None, members: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.status = int(STATUSES[code] if status is None else status)
        self.members = dict(members or {})


def bad_request(message: str) -> ApiError:
    """400 BadRequestException."""
    return ApiError("BadRequestException", message)


def not_found(message: str, *, resource_type: str | None = None) -> ApiError:
    """404 NotFoundException; *resource_type* is v2's further member."""
    return ApiError("NotFoundException", message, members={"resourceType": resource_type} if resource_type else None)


def conflict(message: str) -> ApiError:
    """409 ConflictException."""
    return ApiError("ConflictException", message)


def limit_exceeded(message: str) -> ApiError:
    """429 LimitExceededException: a quota is used up."""
    return ApiError("LimitExceededException", message)
