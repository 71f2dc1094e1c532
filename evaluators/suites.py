"""Read a quality suite from its folder: `suite.yaml` names the cases, `cases/ID.yaml` holds one each.

Everything in a suite is data. Tests are steps that the trusted grader carries out against a sandboxed
program; checklists are regular expressions in Korean and English. Nothing of a suite is ever executed here.
"""

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

CODE_KINDS: tuple[str, ...] = ("completion", "debugging")
"""Kinds of cases whose answers are programs; the others are judged by a checklist."""

M = TypeVar("M", bound=BaseModel)
Kind = Literal["completion", "debugging", "review", "architecture"]
Language = Literal["en", "ko"]


class SuiteError(Exception):
    """A one-line reason, with file and key, why a suite cannot be used."""


def _a_regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Pattern = Annotated[str, AfterValidator(_a_regex)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Step(_Strict):
    """One thing the grader does with the program, and what must come of it.

    Exactly one of `call` (a function), `new` (a class), `method` or `get` (of the object `on`).
    `as` keeps the result under a name for later steps. `compare` is `exact` (same builtin types),
    `sequence` (tuples count as lists) or `unordered` (a list in any order); `tolerance` allows that
    absolute difference between numbers. `leaves_args` also demands that no argument was changed.
    In `args`, `{$handle: name}` is a kept object, `{$tuple: […]}` and `{$set: […]}` are those types.
    """

    call: Identifier | None = None
    new: Identifier | None = None
    on: Identifier | None = None
    method: Identifier | None = None
    get: Identifier | None = None
    keep: Identifier | None = Field(default=None, alias="as")
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    expect: Any = None
    raises: Identifier | None = None
    compare: Literal["exact", "sequence", "unordered"] = "exact"
    tolerance: float | None = Field(default=None, ge=0)
    leaves_args: bool = False

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        chosen = [key for key in ("call", "new", "method", "get") if getattr(self, key) is not None]
        if len(chosen) != 1:
            raise ValueError("a step needs exactly one of call, new, method, get")
        if (self.on is not None) != (chosen[0] in ("method", "get")):
            raise ValueError("`on` goes with method and get, and with nothing else")
        if self.raises is not None and self.expects_value:
            raise ValueError("a step has either expect or raises")
        return self

    @property
    def expects_value(self) -> bool:
        """Whether a value was written down, None included."""
        return "expect" in self.model_fields_set


class CodeTest(_Strict):
    """Steps against one program; passed if every step came out as written."""

    id: Name
    steps: list[Step] = Field(min_length=1)


class ChecklistItem(_Strict):
    """One thing a good reply says: each group of `needs` must be met near the first group's match."""

    id: Name
    asks: Mapping[Language, str]
    needs: list[Annotated[list[Pattern], Field(min_length=1)]] = Field(min_length=1)


class Mutant(_Strict):
    """A small fault planted into the reference; the tests must notice it."""

    replace: str
    with_: str = Field(alias="with")


class Case(_Strict):
    """One piece of work given to a model, in each language of the suite."""

    case_id: Name
    kind: Kind
    tags: list[Name] = []
    prompts: Mapping[Language, str]
    entry_points: list[Identifier] = []
    tests: list[CodeTest] = []
    checklist: list[ChecklistItem] = []
    reference: str | None = None
    mutants: list[Mutant] = []

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if self.kind in CODE_KINDS and not (self.tests and self.entry_points):
            raise ValueError(f"a {self.kind} case needs entry_points and tests")
        if self.kind not in CODE_KINDS and not self.checklist:
            raise ValueError(f"a {self.kind} case needs a checklist")
        ids = [test.id for test in self.tests] + [item.id for item in self.checklist]
        if len(ids) != len(set(ids)):
            raise ValueError("ids of tests and checklist items must differ")
        return self

    @property
    def wants_code(self) -> bool:
        """Whether an answer must hold a program."""
        return self.kind in CODE_KINDS


class _SuiteFile(_Strict):
    name: Name
    version: str
    languages: list[Language] = Field(min_length=1)
    cases: list[Name] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite as read: `content_hash` is the SHA-256 of its files, so equal hashes mean equal suites."""

    name: str
    version: str
    content_hash: str
    languages: tuple[str, ...]
    cases: tuple[Case, ...]

    def case(self, case_id: str) -> Case:
        """The case of that id.

        Raises:
            SuiteError: there is none.
        """
        for case in self.cases:
            if case.case_id == case_id:
                return case
        near = difflib.get_close_matches(case_id, [case.case_id for case in self.cases], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise SuiteError(f"suite {self.name} has no case {case_id!r}{hint}")


def load_suite(folder: Path) -> Suite:
    """Read and check the suite in `folder`.

    Raises:
        SuiteError: one line naming the file, the key and what was expected.
    """
    paths = [folder / "suite.yaml"]
    head = _read(paths[0], _SuiteFile)
    cases = []
    for name in head.cases:
        paths.append(folder / "cases" / f"{name}.yaml")
        cases.append(_checked(_read(paths[-1], Case), name, head.languages, paths[-1]))
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return Suite(
        name=head.name,
        version=head.version,
        content_hash=digest.hexdigest(),
        languages=tuple(head.languages),
        cases=tuple(cases),
    )


def _checked(case: Case, name: str, languages: list[Language], path: Path) -> Case:
    if case.case_id != name:
        raise SuiteError(f"{path}: case_id: is {case.case_id!r}, the file's name says {name!r}")
    missing = [language for language in languages if language not in case.prompts]
    if missing:
        raise SuiteError(f"{path}: prompts: no prompt for {', '.join(missing)}")
    return case


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads the key `on` as true; here only true and false are booleans, as in YAML 1.2."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def _read(path: Path, model: type[M]) -> M:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise SuiteError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SuiteError(f"{path}: {_one_line(error, model)}") from error


def _one_line(error: ValidationError, model: type[BaseModel]) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
    if first["type"] == "extra_forbidden":
        unknown = str(first["loc"][-1])
        known = _field_names(model)
        near = difflib.get_close_matches(unknown, known, n=1)
        return f"{key}: unknown key{f'; did you mean {near[0]!r}?' if near else ''}"
    return f"{key}: {first['msg']}"


def _field_names(model: type[BaseModel]) -> list[str]:
    names: list[str] = []
    kinds: tuple[type[BaseModel], ...] = (model, Step, CodeTest, ChecklistItem, Mutant)
    for kind in kinds:
        names += [field.alias or name for name, field in kind.model_fields.items()]
    return names
