"""The plugin as other people's test runs see it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STDLIB_SERVER = Path(__file__).parents[1] / "servers" / "factory_server.py"

OWN_SERVER = f"""
import contextlib, runpy
import pytest

serve = runpy.run_path({str(STDLIB_SERVER)!r})["serve"]

@pytest.fixture(scope="session")
def mtls_backend_factory():
    return serve
"""


def run_pytest(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A pytest of its own in *folder*, as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_fixtures_are_there_without_any_import(pytester: pytest.Pytester) -> None:
    """Installed means usable: certificates, a faulty backend, a probe."""
    pytester.makepyfile(
        """
        def test_expired_certificate_gets_in_where_nobody_checks(mtls_faulty_backend, mtls_defects, mtls_probe,
                                                                 mtls_gateway_certificate):
            expired = mtls_defects("expired", mtls_gateway_certificate)
            correct = mtls_faulty_backend(trusted=(expired.leaf,))
            careless = mtls_faulty_backend("no-expiry-check", trusted=(expired.leaf,))
            assert mtls_probe(correct.url, mtls_gateway_certificate).answer.status == 200
            assert mtls_probe(correct.url, expired).answer is None

        def test_hierarchy_and_truststore(mtls_hierarchy, mtls_truststore, tmp_path):
            hierarchy = mtls_hierarchy(depth=3)
            mtls_truststore(*hierarchy.certificates).write(tmp_path / "truststore.pem")
            assert (tmp_path / "truststore.pem").read_text().count("BEGIN CERTIFICATE") == 3
        """
    )
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)


def test_backend_under_test_is_a_fixture(pytester: pytest.Pytester) -> None:
    """``mtls_backend`` is the target of the options, and trusts ``mtls_gateway_certificate``."""
    pytester.makepyfile(
        """
        def test(mtls_backend, mtls_probe, mtls_gateway_certificate):
            assert mtls_probe(mtls_backend.url, mtls_gateway_certificate, tls="1.2").answer.status == 200
            assert mtls_probe(mtls_backend.url, None, tls="1.2").alert.number == 40
        """
    )
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


def test_catalogue_runs_by_name_from_any_folder(tmp_path: Path) -> None:
    """The embedded reference backend passes it."""
    run = run_pytest(tmp_path, "--pyargs", "pytest_mtls.scenarios", "-W", "error")

    assert run.returncode == 0, run.stdout
    assert "mtls: conformant" in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_catalogue_runs_under_foreign_naming_rules(tmp_path: Path) -> None:
    """The ini file of the repository that runs it would otherwise deselect everything."""
    (tmp_path / "pytest.ini").write_text("[pytest]\npython_files = spec_*.py\npython_functions = should_*\n")
    run = run_pytest(tmp_path, "--pyargs", "pytest_mtls.scenarios", "--mtls-scenario", "presence/*")

    assert run.returncode == 0, run.stdout
    assert "2 passed" in run.stdout


def test_ini_values_are_options(tmp_path: Path) -> None:
    """``mtls_scenario``, ``mtls_profile`` and the others in an ini file."""
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmtls_scenario = presence/*\nmtls_profile = all\nmtls_json = report.json\n"
    )
    run = run_pytest(tmp_path, "--pyargs", "pytest_mtls.scenarios")

    assert "4 passed" in run.stdout
    assert (tmp_path / "report.json").is_file()


def test_root_conftest_plugs_a_server_in(tmp_path: Path) -> None:
    """A repository overrides ``mtls_backend_factory``; its own server is judged, with restarts for reloads."""
    (tmp_path / "conftest.py").write_text(OWN_SERVER)
    run = run_pytest(tmp_path, "--pyargs", "pytest_mtls.scenarios", "--mtls-json=report.json")

    assert run.returncode == 0, run.stdout
    assert '"kind": "factory"' in (tmp_path / "report.json").read_text()


def test_factory_that_raises_is_inconclusive_and_explained(tmp_path: Path) -> None:
    """What a repository's own fixture does wrong is no verdict on its server."""
    (tmp_path / "conftest.py").write_text(
        "import contextlib, pytest\n"
        "@contextlib.contextmanager\n"
        "def broken(material):\n"
        "    raise RuntimeError('database is down')\n"
        "    yield\n"
        "@pytest.fixture(scope='session')\n"
        "def mtls_backend_factory():\n"
        "    return broken\n"
    )
    run = run_pytest(tmp_path, "--pyargs", "pytest_mtls.scenarios", "--mtls-scenario=presence/*")

    assert run.returncode == 1
    assert "database is down" in run.stdout
    assert "mtls: inconclusive" in run.stdout
    assert "Traceback" not in run.stdout


def test_failure_shows_requirement_and_remedy_instead_of_a_traceback(tmp_path: Path) -> None:
    """What pytest prints is for the server's team, not for ours."""
    run = run_pytest(
        tmp_path, "--pyargs", "pytest_mtls.scenarios", "--mtls-server=reference", "--mtls-fault=optional-unchecked"
    )

    assert run.returncode == 1
    assert "required:  A client that presents no certificate MUST be refused." in run.stdout
    assert "remedy:    Make the client certificate required" in run.stdout
    assert "harness/trial.py" not in run.stdout


def test_wrong_option_is_one_line(tmp_path: Path) -> None:
    """A usage error of pytest, without a traceback."""
    run = run_pytest(tmp_path, "--pyargs", "pytest_mtls.scenarios", "--mtls-profile=getaway")

    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--profile (getaway): expected one of" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_workers_share_the_catalogue(tmp_path: Path) -> None:
    """Under xdist each scenario runs once, and one report has them all."""
    run = run_pytest(tmp_path, "--pyargs", "pytest_mtls.scenarios", "-n", "2", "--mtls-json=report.json")

    assert run.returncode == 0, run.stdout
    assert (tmp_path / "report.json").read_text().count('"level"') == int(
        run.stdout.rpartition(" passed")[0].split()[-1]
    )


def test_other_tests_of_the_run_are_left_alone(tmp_path: Path) -> None:
    """A run without scenarios prints nothing of ours."""
    (tmp_path / "test_own.py").write_text("def test_own(): pass\n")
    run = run_pytest(tmp_path)

    assert run.returncode == 0
    assert "mtls" not in run.stdout.replace(f"plugins: {run.stdout.partition('plugins: ')[2].splitlines()[0]}", "")


def test_unused_plugin_imports_no_engine() -> None:
    """Every pytest start in the environment pays for what the plugin imports."""
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import pytest_mtls.fixtures.plugin\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))\n"
        "print(*sorted(name for name in sys.modules if name.startswith('pytest_mtls.')))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert run.stdout.splitlines() == [
        "pytest_mtls",
        "pytest_mtls.fixtures pytest_mtls.fixtures.controller pytest_mtls.fixtures.kit pytest_mtls.fixtures.plugin "
        "pytest_mtls.harness pytest_mtls.harness.options",
    ]


def test_public_names_exist_and_are_sorted() -> None:
    """``__all__`` is the public API."""
    import pytest_mtls

    assert sorted(pytest_mtls.__all__) == pytest_mtls.__all__
    assert [name for name in pytest_mtls.__all__ if getattr(pytest_mtls, name, None) is None] == []
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = pytest_mtls.nonsense


def test_every_fixture_is_named_mtls_and_documented(pytester: pytest.Pytester) -> None:
    """``pytest --fixtures`` shows what each is for; none is autouse."""
    result = pytester.runpytest_subprocess("--fixtures", "-q")
    text = result.stdout.str()

    from pytest_mtls.fixtures import kit

    assert [name for name in kit.__all__ if f"{name} " not in text and f"{name}\n" not in text] == []
    assert all(name.startswith("mtls_") for name in kit.__all__)
    assert "no docstring available" not in text.partition("mtls_")[2]
