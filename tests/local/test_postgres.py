"""The embedded Postgres: starts anywhere, keeps its data, survives being killed."""

from __future__ import annotations

import os
import pwd
import subprocess

import psycopg
import pytest

from coaching_site import postgres_programs
from coaching_site.local import postgres
from coaching_site.local.postgres import Cluster, PostgresError


@pytest.fixture
def cluster(tmp_path):
    found = Cluster(tmp_path / "postgres", {"fsync": "off"})
    found.start()
    yield found
    found.stop()


def write(cluster: Cluster) -> None:
    cluster.create_database("site")
    with psycopg.connect(cluster.dsn("site")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


def read(cluster: Cluster) -> int:
    with psycopg.connect(cluster.dsn("site")) as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def test_data_survives_a_restart(cluster):
    write(cluster)

    cluster.stop()
    cluster.start()

    assert read(cluster) == 42


def test_data_survives_a_kill(cluster):
    write(cluster)

    cluster.process.kill()
    cluster.process.wait()
    cluster.launch()

    assert read(cluster) == 42


def test_making_a_database_twice_harms_nothing(cluster):
    assert cluster.create_database("site") == cluster.create_database("site")


def test_a_second_server_in_the_folder_is_refused(cluster):
    second = Cluster(cluster.folder)

    with pytest.raises(PostgresError, match="already in use"):
        second.start()


def test_an_orphaned_server_is_stopped_by_the_next_start(cluster):
    write(cluster)
    orphan = cluster.process
    cluster._lock.close()

    successor = Cluster(cluster.folder)
    successor.start()

    assert orphan.wait(timeout=10) == 0
    assert read(successor) == 42
    successor.stop()


def test_a_long_path_moves_the_socket_to_a_short_one(tmp_path):
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    cluster = Cluster(deep)

    cluster.start()

    try:
        assert cluster.is_served()
        assert len(str(cluster.sockets)) < postgres.LONGEST_SOCKET_FOLDER
    finally:
        cluster.stop()


def test_it_says_what_to_do_when_no_server_fits(monkeypatch):
    monkeypatch.setattr(postgres, "_major", lambda folder: 14)

    with pytest.raises(PostgresError, match="set DATABASE_URL"):
        postgres.find_programs()


def test_a_broken_start_leaves_no_half_cluster(tmp_path):
    folder = tmp_path / "postgres"
    (folder / "data.new").mkdir(parents=True)
    (folder / "data.new" / "rest").write_text("of a start that was killed")

    cluster = Cluster(folder)
    cluster.start()

    try:
        assert cluster.is_served()
        assert not (folder / "data.new").exists()
    finally:
        cluster.stop()


def test_without_the_wheel_a_system_installation_serves(monkeypatch, tmp_path):
    folder = tmp_path / "lib" / "17" / "bin"
    folder.mkdir(parents=True)
    (folder / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 17.2'\n")
    (folder / "postgres").chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(postgres_programs, "SYSTEM_FOLDERS", (f"{tmp_path}/lib/*/bin",))

    assert postgres.find_programs() == folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_where_namespaces_are_forbidden_root_becomes_nobody(monkeypatch, tmp_path):
    monkeypatch.setattr(postgres, "_may_unshare", lambda: False)
    folder = tmp_path / "postgres"
    folder.mkdir()

    become = postgres._demotion(folder)

    nobody = pwd.getpwnam("nobody").pw_uid
    shown = subprocess.run(["/usr/bin/id", "-u"], preexec_fn=become, capture_output=True, cwd="/")
    assert int(shown.stdout) == nobody == folder.stat().st_uid
