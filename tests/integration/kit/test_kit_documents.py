"""What the kit says of itself: kit.json, README.md, and the cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from pytest_mtls.harness.kit import SCHEMA, Kit, write_kit
from pytest_mtls.harness.kit_content import Kind
from pytest_mtls.harness.pki.defects import DEFECTS
from pytest_mtls.harness.pki.gateway_certificate import GATEWAY_NAME

from .openssl import verified


def test_kit_json_is_the_kit(kit: Kit) -> None:
    """The file for programs holds what the function returned, under its schema's name."""
    told = json.loads((kit.folder / "kit.json").read_text())

    assert (told["schema"], told) == (SCHEMA, json.loads(json.dumps(kit.to_json())))


def test_kit_json_lists_every_file_and_nothing_else(kit: Kit) -> None:
    """The entries are the files, each once."""
    told = [entry["path"] for entry in json.loads((kit.folder / "kit.json").read_text())["entries"]]
    there = [path.relative_to(kit.folder).as_posix() for path in kit.folder.rglob("*") if path.is_file()]

    assert sorted(told) == sorted(there)


def test_cases_name_files_of_the_kit(kit: Kit) -> None:
    """Every path of a case is that of an entry of the right kind."""
    kinds = {entry.path: entry.kind for entry in kit.entries} | {None: None}
    wanted = {
        (Kind.CERTIFICATE, Kind.KEY, Kind.TRUSTSTORE, chain, crl) for chain in (None, "chain") for crl in (None, "crl")
    }

    assert {
        (kinds[case.certificate], kinds[case.key], kinds[case.truststore], kinds[case.chain], kinds[case.crl])
        for case in kit.cases
    } <= wanted


def test_every_case_has_its_positive_twin(kit: Kit) -> None:
    """Each truststore that somebody must be kept out of has somebody who must be let in."""
    sides = {
        expected: {(case.truststore, case.crl) for case in kit.cases if case.expected == expected}
        for expected in ("accepted", "rejected")
    }

    assert sides["rejected"] and sides["rejected"] <= sides["accepted"]


def test_every_defect_is_there_for_each_of_its_profiles(kit: Kit) -> None:
    """The folders are the catalogue of defects."""
    wanted = {f"defects/{profile}/{defect.name}" for defect in DEFECTS.values() for profile in defect.profiles}

    assert {path.relative_to(kit.folder).as_posix() for path in kit.folder.glob("defects/*/*")} == wanted


def test_one_gateway_name_in_a_truststore_outside_the_rotation(small: Kit) -> None:
    """Two certificates of the gateway's name would disturb each other; only the rotation wants that."""
    bundles = [entry.path for entry in small.entries if entry.kind is Kind.TRUSTSTORE and "both" not in entry.path]
    counts = {
        path: [one.subject for one in x509.load_pem_x509_certificates((small.folder / path).read_bytes())].count(
            GATEWAY_NAME
        )
        for path in bundles
    }

    assert max(counts.values()) == 1


def test_readme_tells_why_each_defect_matters(kit: Kit) -> None:
    """The text for people has a line for every defect of every profile."""
    text = (kit.folder / "README.md").read_text()
    lines = [
        f"| `defects/{profile}/{defect.name}` | {defect.why} |"
        for defect in DEFECTS.values()
        for profile in defect.profiles
    ]

    assert [line for line in lines if line not in text.splitlines()] == []


def test_documents_do_not_tell_where_the_kit_was_made(small: Kit) -> None:
    """A kit can be handed on: no path of this machine stands in it."""
    texts = [(small.folder / name).read_text() for name in ("README.md", "kit.json")]

    assert [str(small.folder.parent) in text for text in texts] == [False, False]


def test_cases_hold_from_the_day_of_the_kit_until_it_expires(tmp_path: Path) -> None:
    """Just before it expires openssl says of every certificate what it said on the first day."""
    now = datetime(2031, 3, 1, 12, tzinfo=UTC)
    kit = write_kit(tmp_path / "kit", clock=lambda: now)
    first, last = (f"{moment.timestamp():.0f}" for moment in (now, kit.expires - timedelta(minutes=1)))
    said = {moment: [verified(kit, case, "-attime", moment) for case in kit.cases] for moment in (first, last)}

    assert (kit.created, said[first]) == (now, said[last])
