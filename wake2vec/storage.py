"""Files: written whole or not at all, hashed, and tensors only through safetensors.

A write goes to a temporary name in the same folder, is flushed to the disk and then renamed, so that a reader sees the
old file or the new one and never half of either.
"""

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from wake2vec.errors import UserError

JSON_SCHEMA_VERSION = 1


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to the disk and rename it to `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        flush(temporary)
        temporary.chmod(0o666 & ~_umask())  # safetensors lets only the owner read its files
        os.replace(temporary, path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(folder: Path, out: Path, names: tuple[str, ...]) -> None:
    """Move finished files out of a scratch folder, in order, each flushed and whole from its first moment on.

    A scratch folder may lie on another disk (a `state/` that is a link to fast storage): from there they are copied.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        flush(folder / name)
        try:
            os.replace(folder / name, out / name)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with atomic_path(out / name) as temporary:
                shutil.copyfile(folder / name, temporary)
            (folder / name).unlink()
    flush(out)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text with newlines as they are, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def read_text(path: str | Path) -> str:
    """Read UTF-8 text that wake2vec wrote, newlines as they are."""
    return Path(path).read_bytes().decode("utf-8")


def write_json(
    path: str | Path, schema: str, values: Any, provenance: Mapping[str, Any], compact: bool = False
) -> None:
    """Write one result: `{"schema": "name/1", "values": …, "provenance": …}`, on one line when `compact`.

    Not-a-number and infinities have no JSON spelling; they are written as null.
    """
    record = {"schema": f"{schema}/{JSON_SCHEMA_VERSION}", "values": plain(values), "provenance": plain(provenance)}
    layout: dict[str, Any] = {"separators": (",", ":")} if compact else {"indent": 1}
    write_text(path, json.dumps(record, ensure_ascii=False, allow_nan=False, **layout) + "\n")


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a whole result file: schema, values and provenance."""
    try:
        return json.loads(read_text(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not a complete JSON file ({error}). Delete it and run the same command again."
        ) from None


def read_values(path: str | Path) -> Any:
    """Read the `values` of a result file."""
    return read_json(path)["values"]


def plain(value: Any) -> Any:
    """NumPy scalars and arrays, paths and sets as plain JSON values; NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def write_csv(path: str | Path, frame: Any) -> None:
    """Write a pandas DataFrame as UTF-8 CSV without its index, atomically."""
    write_text(path, frame.to_csv(index=False))


def write_jsonl(path: str | Path, rows: list[dict[str, Any]]) -> None:
    """Write one JSON object a line, atomically."""
    write_text(path, "".join(json.dumps(plain(row), ensure_ascii=False) + "\n" for row in rows))


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """Read one JSON object a line."""
    return [json.loads(line) for line in read_text(path).splitlines()]


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], hashed: bool = True) -> None:
    """Write named NumPy arrays as a safetensors file, atomically.

    hashed: put a hash of their bytes into its header, by which `load_arrays` knows them; not needed where a manifest
    has the file's.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(arrays, temporary, metadata={CONTENT: _content_hash(arrays)} if hashed else None)
        except SafetensorError as error:  # a full disk is what it is, whoever reports it
            code = next((number for number, name in _OS_ERRORS.items() if name in str(error)), errno.EIO)
            raise OSError(code, os.strerror(code), str(path)) from None


def load_arrays(path: str | Path, names: list[str] | None = None) -> dict[str, np.ndarray]:
    """Read arrays (all, or the named ones) from a safetensors file as float32, without importing torch.

    bfloat16, which NumPy lacks, is the upper half of a float32: it is widened, exactly. float16 is widened too; other
    types stay as they are. Raises UserError for a file that is cut short, or, when a file that wake2vec wrote is read
    whole, for one whose bytes are not those that were written.
    """
    arrays = {}
    try:
        with open(path, "rb") as file:
            length, size = int.from_bytes(file.read(8), "little"), os.fstat(file.fileno()).st_size
            if 8 + length > size:
                raise ValueError(length)
            header = json.loads(file.read(length))
            for name in names if names is not None else [key for key in header if key != "__metadata__"]:
                entry = header[name]
                dtype, count = np.dtype(_numpy_type(entry["dtype"])), math.prod(entry["shape"])
                start, end = entry["data_offsets"]
                if end - start != count * dtype.itemsize or 8 + length + end > size:
                    raise ValueError(name)
                file.seek(8 + length + start)
                arrays[name] = np.fromfile(file, dtype, count)
                arrays[name] = arrays[name].reshape(entry["shape"])
    except (ValueError, OverflowError):
        raise UserError(f"{path} {_DAMAGED} it is cut short or no safetensors file. {_REMEDY}") from None
    stored = header.get("__metadata__", {}).get(CONTENT)
    if names is None and stored and stored != _content_hash(arrays):
        raise UserError(f"{path} {_DAMAGED} its numbers are not those that were written (by their hash). {_REMEDY}")
    return {name: _widened(array, header[name]["dtype"]) for name, array in arrays.items()}


_OS_ERRORS = {number: f"os error {number}" for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)}
CONTENT = "sha256"  # the key of the hash in a file's header
_DAMAGED = "is damaged:"
_REMEDY = "Delete it and run the same command again."


def _content_hash(arrays: Mapping[str, np.ndarray]) -> str:
    """Of names and bytes, in the names' order."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode("utf-8"))
        digest.update(arrays[name].reshape(-1).view(np.uint8))
    return digest.hexdigest()


_TYPES = {"BF16": np.uint16, "F32": np.float32, "F16": np.float16, "F64": np.float64, "I64": np.int64, "I32": np.int32}
_TYPES |= {"U8": np.uint8, "U32": np.uint32, "U64": np.uint64, "BOOL": np.bool_}


def _numpy_type(dtype: str) -> type:
    if dtype not in _TYPES:
        raise UserError(f"a tensor of type {dtype} cannot be read; accepted: {', '.join(sorted(_TYPES))}")
    return _TYPES[dtype]


def _widened(array: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "BF16":
        wide = array.astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    return array.astype(np.float32) if dtype == "F16" else array
