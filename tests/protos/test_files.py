from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from messagetools import OLD
from messagetools import SHOP
from messagetools import descriptors

from mirror_addon.compare.messages.schema import Schema
from mirror_addon.options.settings import OptionError
from mirror_addon.protos import files
from mirror_addon.protos.files import read_protos

COMMON = 'syntax = "proto3"; package acme.common; message Money { int64 units = 1; }'
ORDERS = """
syntax = "proto3";
package acme.orders;
import "acme/common/money.proto";
import "google/rpc/status.proto";
message Order { acme.common.Money total = 1; google.rpc.Status status = 2; }
service Orders { rpc Get(Order) returns (Order); }
"""


@pytest.fixture(autouse=True)
def fresh() -> None:
    read_protos.cache_clear()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in (("common/money.proto", COMMON), ("orders/orders.proto", ORDERS)):
        path = tmp_path / "acme" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize("given", ["", "acme", "acme/orders", "acme/orders/orders.proto"])
def test_imports_are_found_from_any_folder(tree: Path, given: str) -> None:
    found = Schema(read_protos((str(tree / given),)))
    method = found.method("/acme.orders.Orders/Get")
    assert method is not None and method.output.fields_by_name["total"].message_type.full_name == "acme.common.Money"


def test_a_file_alone_a_set_and_several_paths(tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_text(SHOP)
    (tmp_path / "old.proto").write_text(OLD)
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "shop.desc").write_bytes(descriptors())
    both = Schema(read_protos((str(tmp_path / "shop.proto"), str(tmp_path / "old.proto"))))
    assert both.message("shop.Order") is not None and both.message("old.Reply") is not None
    for given in ("sets", "sets/shop.desc"):
        assert Schema(read_protos((str(tmp_path / given),))).message("old.Reply") is not None
    assert read_protos(()) == b""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone", None, "no such file or folder"),
        (".", None, "no .proto file and no descriptor set"),
        ("bad.proto", b"message {", "bad.proto:1:9: Expected message name"),
        ("bad.proto", b'import "none.proto";', "none.proto: File not found"),
        ("bad.desc", b"\xff\xff", "not a descriptor set"),
        (".", b"\xff\xff", "not a descriptor set"),
        ("bad.desc", b"\x0a\x0f\x0a\x01a\x1a\x0anone.proto", "a: "),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / (name if name != "." else "in_folder.desc")).write_bytes(content)
    with pytest.raises(OptionError, match=r"mirror_protos=") as refused:
        read_protos((str(tmp_path / name),))
    assert message in str(refused.value)


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.proto").write_text(SHOP)
    monkeypatch.setattr(files, "MAX_FILES", 0)
    with pytest.raises(OptionError, match="more than 0 files"):
        read_protos((str(tmp_path),))
    (tmp_path / "set.desc").write_bytes(descriptors())
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    with pytest.raises(OptionError, match="has more than 10 bytes"):
        read_protos((str(tmp_path / "set.desc"),))
    monkeypatch.setattr(files, "read_input", lambda path, most: path.read_bytes())
    with pytest.raises(OptionError, match="at most 10 are read"):
        read_protos((str(tmp_path / "set.desc"),))
    monkeypatch.setattr(files, "MAX_BYTES", 8 << 20)
    monkeypatch.setattr(files, "LIMIT", 0.001)
    with pytest.raises(OptionError, match=r"took more than 0.001 s"):
        read_protos((str(tmp_path / "shop.proto"),))


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.proto").write_text(SHOP)
    (tmp_path / "set.desc").write_bytes(descriptors())
    find = importlib.util.find_spec

    def find_spec(name: str) -> Any:
        if name == "google.rpc":
            raise ModuleNotFoundError(name)
        return None if name == "grpc_tools" else find(name)

    monkeypatch.setattr(files.importlib.util, "find_spec", find_spec)
    monkeypatch.setattr(files.shutil, "which", lambda name: None)
    with pytest.raises(OptionError, match=r"install mirror_addon\[grpc\], or name a descriptor set"):
        read_protos((str(tmp_path / "shop.proto"),))
    assert read_protos((str(tmp_path / "set.desc"),)) == descriptors(), "descriptor sets need none"
    monkeypatch.setattr(files.shutil, "which", lambda name: str(tmp_path / "gone"))
    with pytest.raises(OptionError, match="protoc cannot be run"):
        read_protos((str(tmp_path / "shop.proto"),))


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.desc").write_bytes(descriptors())

    def refuse(*_: Any) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "read_input", refuse)
    with pytest.raises(OptionError, match=r"a\.desc: Permission denied"):
        read_protos((str(tmp_path / "a.desc"),))


def test_a_link_to_a_file_without_end_is_refused_at_once(tree: Path) -> None:
    (tree / "endless.proto").symlink_to("/dev/zero")
    with pytest.raises(OptionError, match="no regular file"):
        read_protos((str(tree),))
