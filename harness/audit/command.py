"""``pytest-mtls audit``: its options, and what is loaded for those alone who use it."""

from __future__ import annotations

import click

__all__ = ["audit"]


@click.command()
@click.option("--endpoint-url", metavar="URL", help="ask there instead of AWS (the mock gateway)")
@click.option("--region", metavar="NAME", help="region (default: as the AWS CLI)")
@click.option("--profile", metavar="NAME", help="profile of the AWS configuration (default: as the AWS CLI)")
@click.option(
    "--rotation-days",
    metavar="DAYS",
    type=click.IntRange(0, 3650),
    default=30,
    show_default=True,
    help="rotation is due so many days before a certificate expires",
)
@click.option(
    "--truststore",
    "truststores",
    metavar="DOMAIN=FILE",
    multiple=True,
    help="judge this copy of a domain's truststore too (repeatable)",
)
@click.option("--json", metavar="FILE", help="write the report as JSON")
@click.option("--junit", metavar="FILE", help="write the report as JUnit XML")
@click.option("--strict", is_flag=True, help="a SHOULD that does not hold fails")
@click.option("-v", "--verbose", is_flag=True, help="show every reason in full")
@click.option("-q", "--quiet", is_flag=True, help="show only what did not pass")
def audit(
    endpoint_url: str | None,
    region: str | None,
    profile: str | None,
    rotation_days: int,
    truststores: tuple[str, ...],
    json: str | None,
    junit: str | None,
    strict: bool,
    verbose: bool,
    quiet: bool,
) -> int:
    """Judge the stages and custom domains of an AWS account by what API Gateway's control plane says; changes nothing.

    Needs the extra 'aws' (boto3). Exit codes: 0 conformant, 1 a MUST failed, 2 usage, 3 inconclusive.
    """
    from .run import Options, run_audit

    return run_audit(
        Options(
            endpoint_url=endpoint_url,
            region=region,
            profile=profile,
            rotation_days=rotation_days,
            truststores=truststores,
            json=json,
            junit=junit,
            strict=strict,
            verbosity=int(verbose) - int(quiet),
        )
    )
