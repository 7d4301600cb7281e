"""Parameter files as text that people read: comments are kept, anchors and merge keys are written out."""

import io
import re
from copy import deepcopy
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap


def read_profile(path: Path) -> CommentedMap:
    """Return a parameter file with its comments, but without anchors and merge keys.

    A block that takes values from another one by ``<<: *name`` holds all of its values itself afterwards, so that
    either can be changed or removed alone.
    """
    content = YAML().load(path.read_text(encoding="utf-8"))
    assert isinstance(content, CommentedMap)
    return _written_out(content)


def _written_out(content: CommentedMap) -> CommentedMap:
    """Return a copy in which merged values are plain ones, in the order of the block that they come from."""
    plain = CommentedMap()
    if content.fa.flow_style():
        plain.fa.set_flow_style()
    if content.anchor.value is None:
        plain.ca.comment = content.ca.comment
    for base in reversed(list(content.merge)):
        _update(plain, _written_out(base))
    _update(plain, content)
    return plain


def _update(plain: CommentedMap, block: CommentedMap) -> None:
    """Set a block's own values with their comments."""
    for key, value in block.non_merged_items():
        mapping = isinstance(value, CommentedMap)
        plain[key] = _written_out(value) if mapping else deepcopy(value)
        plain.ca.items.pop(key, None)
        # A comment beside an anchor is about those who share the block.
        if key in block.ca.items and not (mapping and value.anchor.value is not None):
            plain.ca.items[key] = deepcopy(block.ca.items[key])


def written(content: CommentedMap, comment: str) -> str:
    """Return parameters as YAML, below a comment of one or more lines."""
    yaml = YAML()
    yaml.width = 1000
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    content.yaml_set_start_comment(comment + "\n")
    text = io.StringIO()
    yaml.dump(content, text)
    # Sections of the profile end with a blank line of their own; replaced ones do not.
    return re.sub(r"\n{3,}", "\n\n", text.getvalue())
