"""`Options`: a frozen declaration of choices; YAML key, CLI flag, JSON schema and docs row come from it.

>>> class Threshold(Options):
...     '''Where an island begins.'''
...     seed: float = option(5.0, unit="sigma", above=0, doc="A pixel this bright starts an island.")
>>> Threshold.parse({"seed": "4.5"})
Threshold(seed=4.5)
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from skysift.base.errors import OptionError

__all__ = ["OptionRow", "Options", "file_options", "option", "service_options"]


def option(
    default: Any,
    *,
    unit: str | None = None,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    file: bool = False,
    service: bool = False,
    doc: str,
) -> Any:
    """The declaration of one option: its default, unit, bounds and a sentence that says what it does.

    A `file` option holds the path of a file or, where the sentence says so, the name of something shipped. A `service`
    option holds the address of a service, or of what it is asked for, and is never read as a file.
    """
    extra: dict[str, Any] = {
        **({} if unit is None else {"unit": unit}),
        **({"file": True} if file else {}),
        **({"service": True} if service else {}),
    }
    return Field(
        default,
        description=doc,
        gt=above,
        ge=at_least,
        lt=below,
        le=at_most,
        json_schema_extra=extra or None,
    )


def file_options(menu: type[Options]) -> tuple[str, ...]:
    """The options of a menu that name files."""
    return tuple(
        name
        for name, field in menu.model_fields.items()
        if (isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("file"))
        or _takes(field.annotation, Path)
    )


def service_options(menu: type[Options]) -> tuple[str, ...]:
    """The options of a menu that name services."""
    return tuple(
        name
        for name, field in menu.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("service")
    )


@dataclass(frozen=True)
class OptionRow:
    """One line of a menu: what a person needs to know in order to choose."""

    name: str
    type: str
    default: object
    unit: str
    allowed: str
    doc: str


class Options(BaseModel):
    """A frozen set of choices; subclasses declare each field with `option`.

    Values are checked at birth, defaults included; an unknown key or a value out of bounds raises
    `OptionError`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, protected_namespaces=()
    )

    def __init__(self, /, **values: Any) -> None:
        """The options with `values` in place of the defaults.

        Raises
        ------
        OptionError
            A key does not exist, or a value is not allowed.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _explain(type(self), error) from None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            if not field.description or field.default is PydanticUndefined:
                raise TypeError(f"{cls.__name__}.{name} must be declared by option(default, ..., doc=...)")

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, value: object, info: Any) -> object:
        if isinstance(value, bool) and not _takes(cls.model_fields[info.field_name].annotation, bool):
            raise ValueError("true and false are not numbers")
        return value

    @classmethod
    def rows(cls) -> tuple[OptionRow, ...]:
        """The menu, one row per option, in the order of declaration."""
        return tuple(_row(name, field) for name, field in cls.model_fields.items())

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Self:
        """The options for `values`; texts, as they come from a shell or a form, are read as YAML scalars.

        Raises
        ------
        OptionError
            A key does not exist (the nearest one is named), or a value is not allowed.
        """
        fields = cls.model_fields
        return cls(
            **{
                name: _read(fields[name], value) if isinstance(value, str) and name in fields else value
                for name, value in values.items()
            }
        )

    @classmethod
    def schema(cls) -> dict[str, Any]:  # type: ignore[override]  # pydantic keeps a deprecated method of this name
        """The JSON schema: names, types, bounds, units, defaults, descriptions."""
        return cls.model_json_schema()

    def to_dict(self) -> dict[str, Any]:
        """Every option, defaults included, as JSON-safe values."""
        return self.model_dump(mode="json")

    def replace(self, **changes: Any) -> Self:
        """The same options but for `changes`, checked again."""
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | changes)


def _row(name: str, field: FieldInfo) -> OptionRow:
    extra = field.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    return OptionRow(
        name=name,
        type=_type_text(field.annotation),
        default=field.default,
        unit=unit,
        allowed=_allowed(field),
        doc=field.description or "",
    )


# -- reading texts


def _read(field: FieldInfo, text: str) -> object:
    """What `text` means to `field`: the text if the field takes it, else its YAML value, else a list."""
    if _takes(field.annotation, type(None)) and text.strip().lower() in ("", "~", "null"):
        return None
    adapter: TypeAdapter[object] = TypeAdapter(
        field.rebuild_annotation(), config=ConfigDict(allow_inf_nan=False)
    )
    for candidate in _meanings(text):
        try:
            adapter.validate_python(candidate)
        except ValidationError:
            continue
        return candidate
    return text


def _meanings(text: str) -> Iterable[object]:
    yield text
    for form in (text, f"[{text}]"):
        try:
            yield yaml.safe_load(form)
        except yaml.YAMLError:
            continue


# -- saying what is allowed


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a union, or the annotation alone."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _takes(annotation: Any, kind: type) -> bool:
    """Whether a value of `kind` is among what the annotation names."""
    for choice in _choices(annotation):
        if choice is kind or choice is object or choice is Any:
            return True
        if get_origin(choice) is Literal and any(type(value) is kind for value in get_args(choice)):
            return True
    return False


_PLAIN_NAMES: dict[Any, str] = {
    float: "number",
    int: "whole number",
    str: "text",
    bool: "true or false",
    type(None): "null",
    Path: "path",
}


def _type_text(annotation: Any) -> str:
    """A type in the words of a menu."""
    choices = _choices(annotation)
    if len(choices) > 1:
        return " or ".join(_type_text(choice) for choice in choices)
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join("null" if value is None else str(value) for value in inside)
    if origin in (tuple, list):
        named = [_type_text(each) for each in inside if each is not Ellipsis]
        return f"list of {named[0]}" if Ellipsis in inside or origin is list else f"[{', '.join(named)}]"
    return _PLAIN_NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


_BOUND_WORDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def _allowed(field: FieldInfo) -> str:
    """Type and bounds in words, such as "number above 0"."""
    bounds = [
        f"{word} {getattr(mark, bound):g}"
        for mark in field.metadata
        for bound, word in _BOUND_WORDS.items()
        if getattr(mark, bound, None) is not None
    ]
    return " ".join([_type_text(field.annotation), " and ".join(bounds)]).strip()


def _explain(cls: type[Options], error: ValidationError) -> OptionError:
    """The first complaint of pydantic as one line in the words of the declaration."""
    fault = error.errors(include_url=False)[0]
    name = str(fault["loc"][0]) if fault["loc"] else ""
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, cls.model_fields, n=1)
        return OptionError(
            "no such option",
            got=name,
            allowed=None if near else sorted(cls.model_fields),
            todo=f"did you mean {near[0]!r}?" if near else None,
        )
    if name not in cls.model_fields:
        return OptionError(fault["msg"].removeprefix("Value error, "))
    field = cls.model_fields[name]
    told = fault["msg"].removeprefix("Value error, ") if fault["type"] == "value_error" else None
    value, unit = fault["input"], _row(name, field).unit
    return OptionError(
        f"option {name!r} is not allowed" if told is None else f"option {name!r}: {told}",
        got=value,
        allowed=_with_unit(_allowed(field), unit),
        todo=_without_unit(value, unit),
    )


_POWERS = {"hz": "", "khz": "e3", "mhz": "e6", "ghz": "e9"}


def _without_unit(value: object, unit: str) -> str | None:
    """How to write a number that came with its unit; None for what is none."""
    match = re.fullmatch(r"\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*([a-zA-Z/]+)\s*", str(value))
    if match is None or not unit:
        return None
    number, said = match.groups()
    if unit == "Hz" and said.lower() in _POWERS:
        return f"write {number}{_POWERS[said.lower()]}"
    return f"write {number}" if said == unit else f"write the number alone, in {unit}"


def _with_unit(allowed: str, unit: str) -> str:
    return f"{allowed} ({unit})" if unit else allowed
