"""Bad input gets one clear line: what, where, what to do."""

import os
import socket

import pytest


def one_line(done):
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    return lines[0]


@pytest.mark.parametrize("text,where,what", [
    ("accounts:\n  a:\n    hots: x\n", ":3:5:", "host"),
    ("accounts:\n  a:\n    host: x\n    host: y\n", ":4:5:", "host"),
    ("accounts:\n  a:\n    host: [x]\n", ":3:11:", "host"),
    ("accounts:\n\ta: 1\n", ":2:", "tab"),
    ("acounts: {}\n", ":1:1:", "accounts"),
    ("accounts:\n  a:\n    host: x\n    port: 99999\n", ":4:11:", "port"),
])
def test_configuration_errors(world, text, where, what):
    world.config.write_text(text)
    line = one_line(world.sync(status=78))
    assert str(world.config) + where in line
    assert what in line


def test_missing_configuration(world):
    os.unlink(world.config)
    assert str(world.config) in one_line(world.sync(status=78))


def test_unreadable_password_file(world):
    os.unlink(world.base / "password")
    line = one_line(world.sync(status=78))
    assert "password" in line and "home" in line


def test_password_command_that_fails(world):
    world.write_config(password_file=None, password_command=["false"])
    line = one_line(world.sync(status=78))
    assert "home" in line and "false" in line


def test_password_command_that_hangs(world):
    world.write_config(password_file=None, password_command=["sleep", "60"])
    line = one_line(world.sync(status=78, timeout=30))
    assert "home" in line and "10" in line


def test_server_unreachable(world):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        world.write_config(port=s.getsockname()[1])
        assert "home" in one_line(world.sync(status=69))


def test_login_refused_once(world):
    (world.base / "password").write_text("wrong\n")
    done = world.sync("--trace", str(world.trace), status=77)
    one_line(done)
    tries = [c for c in world.commands()
             if c.upper().startswith((b"AUTHENTICATE", b"LOGIN"))]
    assert len(tries) == 1


def test_usage(world):
    for args in (("frobnicate",), ("sync", "--frobnicate"), ("explain",),
                 ("journal", "dump"), ("undo", "../../x")):
        world.run(*args, status=64)
    assert "sync" in world.run("--help").out
    assert "mochila" in world.run("--version").out
