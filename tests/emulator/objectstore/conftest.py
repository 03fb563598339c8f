"""A bucket on a running emulator, and the vendors' own libraries as its clients."""

from __future__ import annotations

import itertools
import os

import botocore.session
import oss2
import pytest
from botocore.config import Config

from cupixgeo.emulator import Emulator
from cupixgeo.emulator.objectstore import Bucket

NAME = "demo-bucket"
SEEDS = itertools.count(7)  # other keys for each test, so that none finds a revoked one


@pytest.fixture(scope="package")
def running():
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def emu(running):
    running.journal.clear()
    running.faults.clear()
    return running


@pytest.fixture
def bucket(emu):
    stage = emu._stage
    made = Bucket(NAME, storage=stage.storage, clock=emu.clock, seed=next(SEEDS))
    made.region = "eu-central-1"
    return made


@pytest.fixture
def key(bucket):
    return bucket.keys.issue(lifetime_s=600, prefix="photos/")


@pytest.fixture
def s3(emu):
    """Make an S3 client out of a temporary key."""
    session = botocore.session.Session()
    for name in ("config_file", "credentials_file"):
        session.set_config_variable(name, os.devnull)
    made = []

    def client(key, **config):
        made.append(
            session.create_client(
                "s3",
                region_name=config.pop("region", "eu-central-1"),
                endpoint_url=emu.storage_url,
                aws_access_key_id=key.access_key_id,
                aws_secret_access_key=config.pop("secret", key.secret_access_key),
                aws_session_token=config.pop("session", key.session_token),
                config=Config(
                    s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **config
                ),
            )
        )
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture
def oss(emu, bucket):
    """Make an OSS bucket out of a temporary key."""
    bucket.dialect, bucket.region = "oss", "oss-cn-hangzhou"
    sessions = []

    def made(key, version="v4", *, secret=None, session=None, region="cn-hangzhou"):
        auth = oss2.StsAuth(
            key.access_key_id,
            secret or key.secret_access_key,
            session or key.session_token,
            auth_version=version,
        )
        connection = oss2.Session()
        connection.session.trust_env = False
        sessions.append(connection.session)
        return oss2.Bucket(
            auth, emu.storage_url, NAME, session=connection, region=region, enable_crc=False
        )

    yield made
    for one in sessions:
        one.close()
