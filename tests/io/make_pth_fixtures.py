#!/usr/bin/env python3
"""Writes tests/data/io/*.pth: containers of torch.save, good ones and hostile ones.

Needs torch; not part of the build. good_*.pth hold what `expected` of tests/io/pth_test.cpp says. Each hostile_*.pth
must be refused; the first line of its .txt is part of the message.
"""
import io
import pathlib
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict

import torch

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "io" / "pth"


class BeforeFour:
    """A tensor as PyTorch pickled it before 0.4, by another function with fewer arguments."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        t = self.tensor
        return torch._utils._rebuild_tensor, (t.storage(), t.storage_offset(), tuple(t.size()), t.stride())


def old_format(bytes_):
    """Files of the format without an archive: one as large as needed, then {"t": two zeros} with something wrong."""
    state = OrderedDict()
    base = torch.arange(24, dtype=torch.float32).view(4, 6)
    state["rows"], state["turned"] = base[1:3], base.t()
    state["fp16"], state["fp64"] = torch.tensor([0.5, 65504.0]).half(), torch.tensor(3.141592653589793, dtype=torch.float64)
    state["int64"], state["uint8"] = torch.tensor([-1, 2**40]), torch.tensor([0, 7, 255], dtype=torch.uint8)
    state["none"], state["early"] = torch.zeros(0, 3), BeforeFour(torch.tensor([[1.0, 2.0], [3.0, 4.0]])[:, 1])
    torch.save({"state_dict": state, "epoch": 3}, OUT / "good_old.pth", _use_new_zipfile_serialization=False)
    for name, changed, message in (
            ("cut", bytes_[:-1], "the file ends before its 2 elements do"),
            ("count", bytes_[:-16] + struct.pack("<q", -1) + bytes_[-8:], "elements do"),
            ("before", bytes_[:-16], "the file ends before it"),
            ("version", bytes_.replace(b"M\xe9\x03.", b"M\xea\x03."), "is of version 1002 of torch.save's old format"),
            ("endian", bytes_.replace(b"little_endian", b"large__endian"), "big-endian byte order"),
            ("type", bytes_.replace(b"ctorch\nFloatStorage\n", b"cposix\nsystem\n"), "names posix.system"),
    ):
        assert changed != bytes_
        (OUT / f"hostile_old_{name}.pth").write_bytes(changed)
        expect(f"hostile_old_{name}", message)


def good():
    base = torch.arange(24, dtype=torch.float32)
    state = OrderedDict()
    state["plain"] = base.clone().view(4, 6)
    state["shared.rows"] = base.view(4, 6)[1:3]
    state["shared.columns"] = base.view(4, 6)[:, ::2]
    state["shared.turned"] = base.view(4, 6).t()
    state["bf16"] = torch.tensor([1.5, -2.25]).bfloat16()
    state["fp16"] = torch.tensor([[0.5], [65504.0]]).half()
    state["fp64"] = torch.tensor(3.141592653589793, dtype=torch.float64)
    state["int64"] = torch.tensor([-1, 2**40])
    state["bool"] = torch.tensor([True, False])
    state["uint8"] = torch.tensor([0, 255], dtype=torch.uint8)
    state["none"] = torch.zeros(0, 3)
    state["parameter"] = torch.nn.Parameter(torch.tensor([7.0]))
    state["fp8"] = torch.tensor([1.0, -0.5, 448.0]).to(torch.float8_e4m3fn)
    state._metadata = {"": {"version": 1}}
    for protocol in (2, 3, 4, 5):
        torch.save(state, OUT / f"good_protocol{protocol}.pth", pickle_protocol=protocol)
    torch.save({"state_dict": {"a": {"b": base}}, "epoch": 3, "lr": 1e-4, "notes": ["x", None, (1, 2)], "big": 2**60},
               OUT / "good_wrapped.pth")
    torch.save(torch.nn.Linear(3, 2).state_dict(), OUT / "good_module.pth")
    trainer = {"state_dict": {"a.b": base}, "optimizer": {"state": {0: {"exp_avg": base[:2]}}, "param_groups": [{"lr": 1}]},
               "epoch": 3, ("a", 1): torch.ones(2)}
    torch.save(trainer, OUT / "good_trainer.pth")
    torch.save({"model": {"module": {"state_dict": {"a": base}}}, "step": 7}, OUT / "good_deep.pth")


class Inner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)
        self.register_buffer("table", torch.arange(6.0).view(2, 3))
        self.sizes = [1, 2]  # lists, dicts and texts: TorchScript writes them with their types
        self.names = {"a": 1.5}

    def forward(self, x):
        return self.linear(x) + self.table.sum() + self.sizes[0] + self.names["a"]


class Program(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Inner()
        self.again = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
        self.scale = torch.nn.Parameter(torch.tensor(4.5).half())
        self.input_resolution = 224

    def forward(self, x):
        return self.visual(x) * self.scale.float()


def script():
    """good_script.pth is a TorchScript archive; good_script_state.pth holds its state_dict."""
    torch.manual_seed(3)
    program = torch.jit.script(Program().eval())
    torch.jit.save(program, OUT / "good_script.pth")
    torch.save(program.state_dict(), OUT / "good_script_state.pth")
    head, attributes, tail = b"\x80\x02c__torch__.a\nB\n)\x81", b"}X\x01\x00\x00\x00x", b"sb."
    for name, data, message in (
            ("object", b"\x80\x02cos\nsystem\n)\x81}b.", "names os.system"),
            ("module", b"\x80\x02c__torch__evil\nB\n)\x81}b.", "names __torch__evil.B"),
            ("arguments", b"\x80\x02c__torch__.a\nB\nN\x85\x81}b.", "with arguments"),
            ("called", b"\x80\x02c__torch__.a\nB\n)R.", "calls __torch__.a B with arguments that make no tensor"),
            ("packed", head + b"N\x85b.", "packs its state in a way of its own"),
            ("inside", head + b"q\x00" + attributes + b"h\x00" + tail, "nested deeper"),
            ("itself", head + b"q\x00h\x00b.", "holds no tensors"),
            ("tag", b"\x80\x02ctorch.jit._pickle\nrestore_type_tag\n(X\x01\x00\x00\x00xNtR.", "neither list nor dict"),
            ("name", b"\x80\x02c__torch__." + b"a" * 5000 + b"\nB\n)\x81.", "a class has a name of"),
            ("shrunk", tensor_pickle([4], [1]), "is compressed")):
        archive(f"hostile_script_{name}", data)
        expect(f"hostile_script_{name}", message)
    with zipfile.ZipFile(OUT / "hostile_script_shrunk.pth", "a") as z:
        z.writestr("archive/data/0", b"\0" * 16, zipfile.ZIP_DEFLATED)


def archive(name, data_pkl, extra=None, compress=False, folder="archive"):
    with zipfile.ZipFile(OUT / f"{name}.pth", "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as z:
        z.writestr(f"{folder}/data.pkl", data_pkl)
        z.writestr(f"{folder}/byteorder", "little")
        for entry, content in (extra or {}).items():
            z.writestr(entry, content)


def expect(name, message):
    (OUT / f"{name}.txt").write_text(message + "\n")


class Call:
    def __init__(self, function, *arguments):
        self.what = (function, arguments)

    def __reduce__(self):
        return self.what


def tensor_pickle(sizes, strides, offset=0, key="0", storage="FloatStorage", numel=4):
    """A hand-made pickle of {"t": tensor}."""
    out = b"\x80\x02}X\x01\x00\x00\x00tctorch._utils\n_rebuild_tensor_v2\n(("
    out += b"X\x07\x00\x00\x00storagectorch\n" + storage.encode() + b"\n"
    out += b"X" + struct.pack("<I", len(key)) + key.encode() + b"X\x03\x00\x00\x00cpu"
    out += number(numel) + b"tQ" + number(offset)
    for numbers in (sizes, strides):
        out += b"(" + b"".join(number(n) for n in numbers) + b"t"
    return out + b"\x89ccollections\nOrderedDict\n)RtRs."


def number(n):
    if -(2**31) <= n < 2**31:
        return b"J" + struct.pack("<i", n)
    return b"\x8a\x08" + struct.pack("<q", n)


def hostile():
    import builtins
    import os

    run = {
        "system": (pickle.dumps({"t": Call(os.system, "echo owned")}, 2), "names posix.system"),
        "eval": (pickle.dumps({"t": Call(builtins.eval, "1")}, 2), "names __builtin__.eval"),
        "eval4": (pickle.dumps({"t": Call(builtins.eval, "1")}, 4), "names builtins.eval"),
        "getattr": (pickle.dumps(Call(builtins.getattr, 1, "x"), 2), "names __builtin__.getattr"),
        "nested": (b"\x80\x02}X\x01\x00\x00\x00tctorch.serialization\nload\n)Rs.", "names torch.serialization.load"),
        "newobj": (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "opcode 0x81"),
        "inst": (b"\x80\x02(ios\nsystem\n.", "opcode 0x69"),
        "ext": (b"\x80\x02\x82\x01.", "opcode 0x82"),
        "memo": (b"\x80\x02h\x05.", "recalls value 5"),
        "stack": (b"\x80\x02R.", "takes a value from an empty stack"),
        "nomark": (b"\x80\x02Nt.", "lacks a mark"),
        "long": (b"\x80\x02\x8a\xff" + b"\x01" * 255 + b".", "a whole number of 255 bytes"),
        "text": (b"\x80\x02X\xff\xff\xff\x7fabc.", "cut short"),
        "persistent": (b"\x80\x02X\x01\x00\x00\x00xQ.", "a persistent id that is no storage"),
        "loop": (b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.", "nested deeper"),
        "bomb": (b"\x80\x02(" + b"N" * 3000 + b"lq\x000" + b"ctorch\nSize\n(h\x00tR0" * 2000 + b"N.", "hold more than"),
        "nodict": (b"\x80\x02N.", "holds no dict of tensors"),
        "unfinished": (b"\x80\x02}", "cut short"),
        "protocol": (b"\x80\x00}.", "protocol 0"),
        "outside": (tensor_pickle([4], [2]), "reaches element 7 of a storage of 4"),
        "offset": (tensor_pickle([1], [1], offset=2**62), "overflows"),
        "overflow": (tensor_pickle([2**40, 2**40], [1, 1]), "overflows"),
        "stride": (tensor_pickle([2, 2], [2**62, 2**62]), "overflows"),
        "negative": (tensor_pickle([-1], [1]), "negative size"),
        "backwards": (tensor_pickle([2], [-1], offset=1), "negative size or stride"),
        "missing": (tensor_pickle([4], [1], key="9"), "entry data/9 is missing"),
        "path": (tensor_pickle([4], [1], key="../../etc/passwd"), "is missing"),
        "storage": (tensor_pickle([4], [1], storage="EvilStorage"), "names torch.EvilStorage"),
        "twice": (tensor_pickle([4], [1])[:-1] + tensor_pickle([4], [1])[3:-1] + b".", "occurs twice"),
    }
    for name, (data, message) in run.items():
        archive(f"hostile_{name}", data, {"archive/data/0": struct.pack("<4f", 1, 2, 3, 4)})
        expect(f"hostile_{name}", message)

    fine = tensor_pickle([4], [1])
    data = {"archive/data/0": struct.pack("<4f", 1, 2, 3, 4)}
    archive("hostile_deflated", fine, {"archive/data/0": b"\0" * 4_000_000}, compress=True)
    expect("hostile_deflated", "is compressed")
    archive("hostile_dotdot", fine, {**data, "archive/../../x": "x"})
    expect("hostile_dotdot", "leads out of the archive")
    archive("hostile_absolute", fine, {**data, "/etc/x": "x"})
    expect("hostile_absolute", "leads out of the archive")
    with zipfile.ZipFile(OUT / "hostile_endian.pth", "w") as z:
        z.writestr("archive/data.pkl", fine)
        z.writestr("archive/byteorder", "big")
        z.writestr("archive/data/0", data["archive/data/0"])
    expect("hostile_endian", "big-endian")
    import warnings
    warnings.simplefilter("ignore")
    with zipfile.ZipFile(OUT / "hostile_duplicate.pth", "w") as z:
        z.writestr("archive/data.pkl", fine)
        z.writestr("archive/data.pkl", fine)
    expect("hostile_duplicate", "occurs twice")
    archive("whole", fine, data)
    whole = (OUT / "whole.pth").read_bytes()
    (OUT / "whole.pth").unlink()
    (OUT / "hostile_cut.pth").write_bytes(whole[:-30])
    expect("hostile_cut", "not a zip archive")
    directory = whole.rindex(b"PK\x01\x02")
    # The last entry claims to begin where the first one does.
    moved = bytearray(whole)
    moved[directory + 42:directory + 46] = struct.pack("<I", 0)
    (OUT / "hostile_moved.pth").write_bytes(moved)
    expect("hostile_moved", "has another name in front of its bytes")
    longer = bytearray(whole)
    longer[directory + 20:directory + 28] = struct.pack("<II", 10**9, 10**9)
    (OUT / "hostile_longer.pth").write_bytes(longer)
    expect("hostile_longer", "lie beyond the end of the file")
    first = whole.index(b"PK\x01\x02")
    grown = bytearray(whole)  # the first entry reaches into the second
    size = struct.unpack("<I", whole[first + 24:first + 28])[0] + 40
    grown[first + 20:first + 28] = struct.pack("<II", size, size)
    (OUT / "hostile_overlap.pth").write_bytes(grown)
    expect("hostile_overlap", "overlaps")
    encrypted = bytearray(whole)
    encrypted[directory + 8] |= 1
    (OUT / "hostile_encrypted.pth").write_bytes(encrypted)
    expect("hostile_encrypted", "is encrypted")
    buffer = io.BytesIO()
    torch.save({"t": torch.zeros(2)}, buffer, _use_new_zipfile_serialization=False)
    old_format(buffer.getvalue())
    assert pickletools.genops(fine)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    good()
    script()
    hostile()
