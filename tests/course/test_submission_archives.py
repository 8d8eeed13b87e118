"""What was handed in is found, and said: folders, archives, loose files; hostile ones.

Nothing here starts MAX: files are only found, copied and told about.
"""

import gzip
import io
import json
import os
import random
import shutil
import stat
import tarfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checker.classroom import archives, submissions
from checker.classroom.grade import JOURNAL
from checker.classroom.marking import IGNORED
from checker.classroom.submissions import Found
from checker.cli import main
from checker.course import ROOT, puzzles
from checker.desk.reset import untouched

Files = dict[str, bytes]
Maker = Callable[[Path, Files], Path]

RIGHT = b"# right"
"""What the file that has to be graded holds, where several have its name."""


def make_folder(parent: Path, files: Files) -> Path:
    for name, data in files.items():
        path = parent / "ada" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return parent / "ada"


def make_zip(parent: Path, files: Files, name: str = "ada.zip") -> Path:
    with zipfile.ZipFile(parent / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in files.items():
            archive.writestr(member, data)
    return parent / name


def make_windows_zip(parent: Path, files: Files) -> Path:
    return make_zip(parent, {n.replace("/", "\\"): data for n, data in files.items()})


def make_tar(parent: Path, files: Files, name: str = "ada.tar") -> Path:
    mode = "w" if name.endswith(".tar") else "w:gz"
    with tarfile.open(parent / name, mode) as archive:  # type: ignore[call-overload]
        for member, data in files.items():
            add(archive, member, data)
    return parent / name


def add(archive: tarfile.TarFile, name: str, data: bytes = b"", **more: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(data))


def make_gnu_tar(parent: Path, files: Files) -> Path:
    """With GNU's own headers for long names."""
    with tarfile.open(
        parent / "ada.TAR.GZ", "w:gz", format=tarfile.GNU_FORMAT
    ) as archive:
        for member, data in files.items():
            add(archive, member, data)
    return parent / "ada.TAR.GZ"


def make_tgz(parent: Path, files: Files) -> Path:
    return make_tar(parent, files, "ada.tgz")


KINDS: list[Maker] = [
    make_folder,
    make_zip,
    make_windows_zip,
    make_tar,
    make_tgz,
    make_gnu_tar,
]


@pytest.fixture(params=KINDS, ids=lambda maker: maker.__name__)
def maker(request: pytest.FixtureRequest) -> Maker:
    made: Maker = request.param
    return made


def read(upload: Path) -> Found:
    """What is found in one upload, copied into a folder beside it."""
    into = upload.parent / "copied"
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    (submission,) = submissions.find([upload], single=True)
    return submissions.copied(submission, into)


def said(found: Found) -> str:
    return "\n".join(map(str, found.ignored))


RULE: dict[str, tuple[Files, str]] = {
    "puzzles first": (
        {
            "attention.py": b"",
            "a/attention.py": b"",
            "course/puzzles/attention.py": RIGHT,
        },
        "course/puzzles/attention.py",
    ),
    "the least deep": (
        {"a/b/attention.py": b"", "z/attention.py": RIGHT},
        "z/attention.py",
    ),
    "the first of the alphabet": (
        {"beta/attention.py": b"", "alpha/attention.py": RIGHT},
        "alpha/attention.py",
    ),
    "the exact name": (
        {"attention (1).py": b"", "Attention.py": b"", "work/attention.py": RIGHT},
        "work/attention.py",
    ),
    "a copy, if there is no other": (
        {"work/attention (2).py": RIGHT, "notes.txt": b""},
        "work/attention (2).py",
    ),
    "at any depth": (
        {"a/b/c/d/e/f/g/h/attention.py": RIGHT},
        "a/b/c/d/e/f/g/h/attention.py",
    ),
    "no solutions": (
        {
            "solutions/attention.py": b"",
            "tests/attention.py": b"",
            "checker/attention.py": b"",
            "Solutions/attention.py": b"",
            "__MACOSX/attention.py": b"",
            ".git/attention.py": b"",
            ".venv/lib/attention.py": b"",
            "venv/lib/site-packages/transformers/attention.py": b"",
            "z/y/x/attention.py": RIGHT,
        },
        "z/y/x/attention.py",
    ),
    "a name of 150 letters": (
        {f"{'n' * 150}/puzzles/attention.py": RIGHT},
        f"{'n' * 150}/puzzles/attention.py",
    ),
    "a name in Greek": ({"μάθημα/attention.py": RIGHT}, "μάθημα/attention.py"),
}


@pytest.mark.parametrize("case", RULE)
def test_one_rule(case: str, maker: Maker, tmp_path: Path) -> None:
    """Folders and all archives have one rule for which of several files is graded."""
    files, source = RULE[case]
    found = read(maker(tmp_path, files))
    assert found.sources == {"attention.py": source}
    assert (found.folder / "attention.py").read_bytes() == RIGHT
    assert [path.name for path in found.folder.iterdir()] == ["attention.py"]


def test_what_is_not_graded_is_said(maker: Maker, tmp_path: Path) -> None:
    """Other files of the name, folders that are never graded and the rest are named."""
    files = {
        "puzzles/mlp.py": RIGHT,
        "old/mlp.py": b"",
        "solutions/mlp.py": b"",
        "helper.py": b"",
        "data/a.txt": b"",
        "data/b.bin": b"",
    }
    found = read(maker(tmp_path, files))
    assert [(note.path, note.reason) for note in found.ignored] == [
        ("old/mlp.py", "was not graded: puzzles/mlp.py was"),
        ("solutions/", "is a folder that is never graded"),
        ("helper.py", "is not one of the graded puzzles"),
        ("data/", "has 2 files that are not Python: .txt, .bin"),
    ]
    assert found.missing("demo.py") == "there is no demo.py"


def test_a_file_of_more_than_a_megabyte(maker: Maker, tmp_path: Path) -> None:
    """It is not read; another file of its name is, and the reason is said."""
    files = {"puzzles/mlp.py": bytes(2**20 + 1), "config.py": b" " * 2**20}
    found = read(maker(tmp_path, files))
    assert set(found.sources) == {"config.py"}
    reason = "there is no mlp.py; puzzles/mlp.py is larger than 1 MB"
    assert found.missing("mlp.py") == reason


def test_too_many_members(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ten thousand (here fifty) the rest is not read, and this is said."""
    assert submissions.MEMBERS == 10_000
    monkeypatch.setattr(submissions, "MEMBERS", 50)
    files = {"config.py": RIGHT, **{f"f/{number}": b"" for number in range(50)}}
    found = read(maker(tmp_path, {**files, "mlp.py": b""}))
    assert "config.py" in found.sources
    assert "has more than 50 members: the rest is not read" in said(found)


def test_the_last_of_equal_paths(tmp_path: Path) -> None:
    """An archive with two members of one path is read as it would be unpacked."""
    with (
        tarfile.open(tmp_path / "ada.tar", "w") as archive,
        zipfile.ZipFile(tmp_path / "ben.zip", "w") as other,
    ):
        for data in (b"", RIGHT):
            add(archive, "mlp.py", data)
            with warnings.catch_warnings(action="ignore"):
                other.writestr("mlp.py", data)
    for name in ("ada.tar", "ben.zip"):
        found = read(tmp_path / name)
        assert (found.folder / "mlp.py").read_bytes() == RIGHT
        assert said(found) == "mlp.py was not graded: the last of this name was"


def test_folders_that_are_too_deep(tmp_path: Path) -> None:
    """Below what the system can name it says so."""
    (tmp_path / "ada").mkdir()
    here = os.open(tmp_path / "ada", os.O_RDONLY)
    for _ in range(25):
        os.mkdir("n" * 200, dir_fd=here)
        above, here = here, os.open("n" * 200, os.O_RDONLY, dir_fd=here)
        os.close(above)
    os.close(here)
    found = read(tmp_path / "ada")
    assert found.reason.endswith("cannot be read: File name too long")
    shutil.rmtree(tmp_path / "ada", ignore_errors=True)


# Links, devices, paths that lead out.


def test_links_and_pipes_of_a_folder(tmp_path: Path) -> None:
    """A link out of a submission is not followed, a pipe not waited for."""
    secret = tmp_path / "secret.py"
    secret.write_text("secret")
    folder = make_folder(tmp_path, {"mlp.py": RIGHT})
    (folder / "config.py").symlink_to(secret)
    (folder / "puzzles").symlink_to(ROOT / "solutions")
    os.mkfifo(folder / "causal.py")
    found = read(folder)
    assert found.sources == {"mlp.py": "mlp.py"}
    assert "config.py is a link, and links are not followed" in said(found)
    assert "puzzles is a link" in said(found)
    assert found.missing("causal.py").endswith("causal.py is a pipe")


def test_links_and_devices_of_a_tar(tmp_path: Path) -> None:
    """A tar's links, hard links, pipes and devices are refused, and said."""
    with tarfile.open(tmp_path / "ada.tar", "w") as archive:
        add(archive, "mlp.py", RIGHT)
        add(archive, "config.py", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(archive, "causal.py", type=tarfile.LNKTYPE, linkname="mlp.py")
        add(archive, "block.py", type=tarfile.FIFOTYPE)
        add(archive, "model.py", type=tarfile.CHRTYPE, devmajor=1, devminor=5)
        add(archive, "demo.py", RIGHT)
    found = read(tmp_path / "ada.tar")
    assert set(found.sources) == {"mlp.py", "demo.py"}
    for sentence in (
        "config.py is a link",
        "causal.py is a link",
        "block.py is a pipe",
        "model.py is a device",
    ):
        assert sentence in said(found)


def test_links_of_a_zip(tmp_path: Path) -> None:
    """A zip's links are refused, and said."""
    with zipfile.ZipFile(tmp_path / "ada.zip", "w") as archive:
        for name, kind in (("config.py", stat.S_IFLNK), ("mlp.py", stat.S_IFIFO)):
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (kind | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
    found = read(tmp_path / "ada.zip")
    assert not found.sources
    assert "config.py is a link" in found.reason and "mlp.py is a pipe" in found.reason


@pytest.mark.parametrize("maker", KINDS[1:], ids=lambda maker: maker.__name__)
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../config.py", "leads out"),
        ("a/../../config.py", "leads out"),
        ("a/../config.py", "leads out"),
        ("/tmp/config.py", "is absolute"),
        ("C:/puzzles/config.py", "is absolute"),
        ("//server/share/config.py", "is absolute"),
    ],
)
def test_paths_that_lead_out(
    path: str, reason: str, maker: Maker, tmp_path: Path
) -> None:
    """They are refused and said; nothing is written outside."""
    found = read(maker(tmp_path, {path: b"", "mlp.py": RIGHT}))
    assert found.sources == {"mlp.py": "mlp.py"}
    assert reason in said(found) and reason in found.missing("config.py")
    assert not list(found.folder.parent.glob("config.py"))


# Damaged, encrypted and hostile archives.

WHOLE: Files = {"puzzles/mlp.py": random.Random(1).randbytes(3000), "config.py": RIGHT}


def zip_bytes(tmp_path: Path) -> bytearray:
    return bytearray(make_zip(tmp_path, WHOLE, "whole.zip").read_bytes())


def damaged_deflate(tmp_path: Path) -> bytes:
    data = zip_bytes(tmp_path)
    data[60:90] = b"\xff" * 30
    return bytes(data)


def wrong_checksum(tmp_path: Path) -> bytes:
    plain = make_stored(tmp_path)
    return plain.replace(RIGHT, b"# wrong")


def make_stored(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "stored.zip", "w") as archive:
        archive.writestr("config.py", RIGHT)
    return (tmp_path / "stored.zip").read_bytes()


def encrypted(tmp_path: Path) -> bytes:
    """A flag in both headers of each member says so."""
    data = zip_bytes(tmp_path)
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + at] |= 1
            place = data.find(mark, place + 1)
    return bytes(data)


def with_lzma(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "l.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("config.py", RIGHT)
    return (tmp_path / "l.zip").read_bytes()


def lying_size(tmp_path: Path) -> bytes:
    """A member that says 10 bytes and unpacks to 10 MB."""
    path = make_zip(tmp_path, {"config.py": bytes(10 * 2**20)}, "bomb.zip")
    size, lie = (10 * 2**20).to_bytes(4, "little"), (10).to_bytes(4, "little")
    return path.read_bytes().replace(size, lie)


def huge_directory(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(70):
            archive.writestr(f"{number}{'n' * 60_000}", b"")
    return (tmp_path / "many.zip").read_bytes()


def truncated_gzip(tmp_path: Path) -> bytes:
    data = make_tar(tmp_path, WHOLE, "whole.tgz").read_bytes()
    return data[: len(data) // 3]


def bomb(tmp_path: Path) -> bytes:
    """Half a megabyte that unpacks to 512 MB."""
    header = tarfile.TarInfo("zeros")
    header.size = 2 * archives.UNPACKED
    block = gzip.compress(bytes(2**24), 9)
    return gzip.compress(header.tobuf()) + block * (header.size // 2**24)


def negative_size(tmp_path: Path) -> bytes:
    """A size that leads back, on which tarfile turns in a circle (CVE-2025-8194)."""
    header = bytearray(tarfile.TarInfo("config.py").tobuf())
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(10_240)


def digits(tmp_path: Path) -> bytes:
    """An extended header of digits, hours for tarfile (CVE-2024-6232)."""
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 2**22
    return header.tobuf() + b"1" * 2**22 + tarfile.TarInfo("x").tobuf() + bytes(1024)


def damaged_header(tmp_path: Path) -> bytes:
    return bytes(
        make_tar(tmp_path, WHOLE, "h.tar").read_bytes().replace(b"ustar", b"x")
    )


DAMAGED: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "text": ("ada.zip", lambda _: b"not a zip" * 99, "is not a zip"),
    "nothing": ("ada.zip", lambda _: b"", "is not a zip"),
    "cut zip": ("ada.zip", lambda p: bytes(zip_bytes(p)[:2000]), "cut short"),
    "deflate": ("ada.zip", damaged_deflate, "puzzles/mlp.py is damaged"),
    "checksum": ("ada.zip", wrong_checksum, "config.py is damaged"),
    "encrypted": ("ada.zip", encrypted, "config.py is encrypted"),
    "lzma": ("ada.zip", with_lzma, "is compressed in an unusual way"),
    "lying size": ("ada.zip", lying_size, "config.py is damaged"),
    "directory": ("ada.zip", huge_directory, "a table of contents that is too large"),
    "a tar called zip": (
        "ada.zip",
        lambda p: make_tar(p, WHOLE, "x.tar").read_bytes(),
        "is not a zip",
    ),
    "no gzip": ("ada.tgz", lambda _: b"text" * 99, "ada.tgz is damaged"),
    "cut gzip": ("ada.tgz", truncated_gzip, "ada.tgz ends too early"),
    "no bytes": ("ada.tar.gz", lambda _: b"", "ends too early"),
    "bomb": ("ada.tar.gz", bomb, "unpacks to more than 256 MB"),
    "no tar": ("ada.tar", lambda _: b"text" * 999, "ada.tar is damaged"),
    "cut tar": (
        "ada.tar",
        lambda p: make_tar(p, WHOLE, "x.tar").read_bytes()[:2000],
        "ends too early",
    ),
    "negative": ("ada.tar", negative_size, "ada.tar is damaged"),
    "digits": ("ada.tar", digits, "no puzzle file is in it"),
    "header": ("ada.tar", damaged_header, "ada.tar is damaged"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_archives(case: str, tmp_path: Path) -> None:
    """The reason is said, soon; nothing is raised."""
    name, build, reason = DAMAGED[case]
    (tmp_path / name).write_bytes(build(tmp_path))
    began = time.monotonic()
    found = read(tmp_path / name)
    assert reason in f"{said(found)}\n{found.reason}"
    assert time.monotonic() - began < 10


def test_what_is_whole_in_a_damaged_archive_is_graded(tmp_path: Path) -> None:
    """One damaged member costs itself; what comes before a tar's damage is graded."""
    (tmp_path / "ada.zip").write_bytes(damaged_deflate(tmp_path))
    found = read(tmp_path / "ada.zip")
    assert found.sources == {"config.py": "config.py"}
    assert found.missing("mlp.py") == "there is no mlp.py; puzzles/mlp.py is damaged"
    (tmp_path / "ben.tar").write_bytes(make_tar(tmp_path, WHOLE).read_bytes()[:4100])
    found = read(tmp_path / "ben.tar")
    assert found.sources == {"mlp.py": "puzzles/mlp.py"}
    assert found.missing("config.py") == "there is no config.py; config.py is cut short"
    assert found.missing("demo.py") == "there is no demo.py; ben.tar ends too early"


@pytest.mark.parametrize("maker", KINDS[1:], ids=lambda maker: maker.__name__)
def test_any_bytes(maker: Maker, tmp_path: Path) -> None:
    """Whatever is changed or cut in an archive, reading it raises nothing."""
    chance = random.Random(0)
    upload = maker(tmp_path, WHOLE)
    whole = upload.read_bytes()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = chance.choice([len(data), chance.randrange(len(data))])
        upload.write_bytes(data[:cut])
        found = read(upload)
        assert found.sources or found.reason


# What is an upload.


def names(*paths: Path, single: bool = False) -> list[str]:
    return [each.name for each in submissions.find(list(paths), single=single)]


def test_every_upload_has_a_row(tmp_path: Path) -> None:
    """Folders, empty ones too, archives and unknown files; not what systems leave."""
    folder = tmp_path / "class"
    make_folder(folder, {"work/config.py": b""})
    make_zip(folder, {"config.py": b""}, "ben.zip")
    make_tar(folder, {"config.py": b""}, "cleo.tar.gz")
    (folder / "dan").mkdir()
    (folder / "essay.docx").write_bytes(b"")
    (folder / "zoe").symlink_to(tmp_path)
    for name in (".DS_Store", "Thumbs.db", JOURNAL):
        (folder / name).touch()
    (folder / "__MACOSX").mkdir()
    assert names(folder) == ["ada", "ben", "cleo", "dan", "essay.docx", "zoe"]


def test_why_nothing_is_graded(tmp_path: Path) -> None:
    """A row without a graded file has a reason."""
    folder = tmp_path / "class"
    make_folder(folder, {"read.me": b""})
    (folder / "dan").mkdir()
    (folder / "essay.docx").touch()
    (folder / "zoe").symlink_to(tmp_path)
    (tmp_path / "into").mkdir()
    reasons = {
        each.name: submissions.copied(each, tmp_path / "into").reason
        for each in submissions.find([folder])
    }
    assert reasons == {
        "ada": "no puzzle file is in it (config.py … demo.py)",
        "dan": "dan is empty",
        "essay.docx": "essay.docx is no puzzle file, no folder and no archive "
        "(.zip, .tar, .tar.gz, .tgz)",
        "zoe": "zoe is a link, and links are not followed",
    }


LOOSE: dict[str, tuple[list[str], dict[str, list[str]]]] = {
    "prefix": (
        ["ada_attention.py", "ada_config.py", "ben-attention.py", "Cleo mlp.py"],
        {"Cleo": ["mlp.py"], "ada": ["config.py", "attention.py"],
         "ben": ["attention.py"]},
    ),
    "a browser's": (
        ["attention (1).py", "config (1).py", "mlp (2).py"],
        {"class (1)": ["config.py", "attention.py"], "class (2)": ["mlp.py"]},
    ),
    "Moodle": (
        ["Ada L_55_assignsubmission_file_mlp.py",
         "Ada L_55_assignsubmission_file_block.py"],
        {"Ada L_55": ["mlp.py", "block.py"]},
    ),
    "Canvas": (
        ["smithbob_12_900001_config.py", "smithbob_12_900002_mlp-1.py",
         "wells_LATE_13_900003_mlp.py", "ada_123_attention.py"],
        {"ada_123": ["attention.py"], "smithbob_12": ["config.py", "mlp.py"],
         "wells_LATE_13": ["mlp.py"]},
    ),
    "numbers of students": (
        ["hw_3_1234567_mlp.py", "hw_3_7654321_mlp.py"],
        {"hw_3_1234567": ["mlp.py"], "hw_3_7654321": ["mlp.py"]},
    ),
    "with other files": (
        ["ada_attention.py", "ada_read.txt", "adam_notes.txt"],
        {"ada": ["attention.py"], "adam_notes.txt": []},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LOOSE)
def test_loose_files(case: str, tmp_path: Path) -> None:
    """Files of one prefix in one folder are a submission."""
    files, wanted = LOOSE[case]
    folder = tmp_path / "class"
    folder.mkdir()
    for name in files:
        (folder / name).write_bytes(RIGHT)
    found = {}
    for each in submissions.find([folder]):
        into = tmp_path / f"into {each.name}"
        into.mkdir()
        found[each.name] = list(submissions.copied(each, into).sources)
    assert found == wanted


def test_an_archive_of_a_class_is_a_submission(tmp_path: Path) -> None:
    """In the folder of submissions; in a student's folder it belongs to the student."""
    folder = tmp_path / "class"
    student = make_folder(folder, {"essay.txt": b""})
    make_zip(student, {"puzzles/mlp.py": RIGHT, "a.zip": b""}, "work.zip")
    make_zip(folder, {"mlp.py": b""}, "ada_work.zip")
    assert names(folder) == ["ada", "ada_work"]
    found = read(student)
    assert found.sources == {"mlp.py": "work.zip/puzzles/mlp.py"}
    make_folder(folder, {"mlp.py": b""})
    found = read(student)
    assert found.sources == {"mlp.py": "mlp.py"}
    assert "work.zip is an archive in the submission, and is not unpacked" in said(
        found
    )


def test_a_course_is_one_submission(tmp_path: Path) -> None:
    """A folder with puzzles/ is a submission; with --single every path is."""
    course = make_folder(tmp_path, {"puzzles/mlp.py": RIGHT, "docs/x.md": b""})
    assert names(course) == ["ada"]
    inner = make_folder(tmp_path / "other", {"src/mlp.py": RIGHT, "two/mlp.py": b""})
    assert names(inner) == ["src", "two"]
    assert names(inner, single=True) == ["ada"]
    both = [f"{tmp_path.name}-ada", "other-ada"]
    assert names(course, inner, single=True) == both


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    """By suffix, by folder, by number."""
    for group in ("monday", "tuesday"):
        make_folder(tmp_path / group, {"config.py": b""})
        make_zip(tmp_path / group, {"config.py": b""})
    monday, tuesday = tmp_path / "monday", tmp_path / "tuesday"
    assert names(monday) == ["ada", "ada.zip"]
    assert names(monday, tuesday) == [
        "monday-ada",
        "monday-ada.zip",
        "tuesday-ada",
        "tuesday-ada.zip",
    ]
    other = make_folder(tmp_path / "x" / "monday", {"config.py": b""})
    assert names(monday / "ada", other) == ["monday-ada", "monday-ada-2"]
    assert names(monday, monday) == ["ada", "ada.zip"]


def test_names_of_bytes(tmp_path: Path) -> None:
    """A name with control characters or of no encoding is shown without them."""
    folder = os.fsencode(tmp_path / "class")
    for name in (b"a\x1b[31m\nb", b"\xff\xfe"):
        os.makedirs(os.path.join(folder, name))
        with open(os.path.join(folder, name, b"\x9b\xff.py"), "wb"):
            pass
    found = submissions.find([tmp_path / "class"])
    assert [each.name for each in found] == ["a\ufffd[31m b", "\ufffd\ufffd"]
    for each in found:
        ignored = submissions.copied(each, tmp_path).ignored
        assert all(note.path.isprintable() for note in ignored)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A path that is missing, or an empty folder alone, is a sentence."""
    for path, sentence in (
        (tmp_path / "no", "there is no"),
        (tmp_path, "holds no submission: it is empty"),
    ):
        with pytest.raises(ValueError, match=sentence):
            submissions.find([path])
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ValueError, match="cannot be read"):
        submissions.find([tmp_path / "loop"])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_no_permission_to_read(tmp_path: Path) -> None:
    """What may not be read is said, file by file."""
    for above in [tmp_path, *tmp_path.parents][:3]:
        above.chmod(0o755)
    folder = make_folder(tmp_path, {"mlp.py": b"", "config.py": b"", "x/block.py": b""})
    (folder / "config.py").chmod(0)
    (folder / "x").chmod(0)
    into = tmp_path / "into"
    into.mkdir()
    into.chmod(0o777)
    (submission,) = submissions.find([folder])
    os.seteuid(65534)
    try:
        found = submissions.copied(submission, into)
    finally:
        os.seteuid(0)
    assert found.sources == {"mlp.py": "mlp.py"}
    assert "config.py cannot be read: Permission denied" in said(found)
    assert "x cannot be read: Permission denied" in said(found)


# In the report.


def graded(tmp_path: Path, *words: str) -> Any:
    """The grades of a class in which nothing has to be run."""
    output = tmp_path / "grades.json"
    assert main(["grade", *words, "--format", "json", "-o", str(output)]) == 0
    return json.loads(output.read_text(encoding="utf-8"))["submissions"]


@pytest.mark.parametrize(
    "ends", [b"\n", b"\r\n", b"  \n"], ids=["unix", "dos", "space"]
)
def test_an_untouched_course_is_worth_nothing(ends: bytes, tmp_path: Path) -> None:
    """A zip of the whole course with untouched puzzles has 0 points, solutions or not;
    the report says which files those were."""
    files = {
        f"course/solutions/{puzzle.file}": (
            ROOT / "solutions" / puzzle.file
        ).read_bytes()
        for puzzle in puzzles()
    }
    for puzzle in puzzles():
        text = untouched(puzzle).encode().replace(b"\n", ends)
        files[f"course/puzzles/{puzzle.file}"] = text + ends
    (grade,) = graded(tmp_path, str(make_zip(tmp_path, files)))
    assert grade["score"] == 0 and grade["max_score"] == 100
    for step in grade["steps"]:
        assert step["source"] == f"course/puzzles/{step['file']}"
        assert step["status"] == "todo"
        assert step["checks"][0]["detail"] == "it is the untouched puzzle"
    assert grade["ignored"] == [
        {"path": "course/solutions/", "reason": "is a folder that is never graded"}
    ]


def test_the_report_lists_fifty(tmp_path: Path) -> None:
    """Of what was ignored fifty are listed and the rest is counted."""
    files = {f"{number}.py": b"" for number in range(IGNORED + 7)}
    (grade,) = graded(tmp_path, str(make_zip(tmp_path, files)))
    assert len(grade["ignored"]) == IGNORED and grade["ignored_more"] == 7
    assert grade["reason"].startswith("no puzzle file is in it")


def test_the_output_is_no_upload(tmp_path: Path) -> None:
    """A report, and its journal, in the folder of submissions are not graded."""
    make_zip(tmp_path, {"x": b""})
    for _ in range(2):
        (grade,) = graded(tmp_path, str(tmp_path))
        assert grade["submission"] == "ada"
