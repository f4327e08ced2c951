"""GitHub's own examples and rules of the expression language: the runner must be believed."""

from typing import Any

import pytest

from tests.pangeo_deploy.delivery.expressions import condition, evaluate, filled

CONTEXTS: dict[str, Any] = {
    "github": {"event_name": "push", "ref": "refs/heads/main", "event": {"number": 7}},
    "needs": {"build": {"result": "success", "outputs": {"run": "12"}}},
    "vars": {},
    "inputs": {"keep": False},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("github.event_name == 'PUSH'", True),
        ("github.event.pull_request.head.sha", None),
        ("github.event.pull_request.head.sha || github.ref", "refs/heads/main"),
        ("vars.TARGET || 'rehearsal'", "rehearsal"),
        ("(1 == 1 || 1 == 2) && vars.TARGET || 'rehearsal'", "rehearsal"),
        ("inputs.keep && '--keep' || '--drop'", "--drop"),
        ("needs.build.outputs.run == 12", True),
        ("needs.*.result", ["success"]),
        ("contains(needs.*.result, 'failure')", False),
        ("startsWith(github.ref, 'refs/HEADS/')", True),
        ("format('{0} of {1}', github.event.number, 'it''s')", "7 of it's"),
        ("fromJSON('{\"a\": [1, 2]}').a[1]", 2),
        ("github['event_name']", "push"),
        ("!github.event.number", False),
        ("null == 0", True),
        ("'' == null", True),
        ("'a' < 'B'", True),
        ("true == 1", True),
    ],
)
def test_expressions(expression: str, value: Any) -> None:
    assert evaluate(expression, CONTEXTS, {}) == value


def test_a_lone_expression_keeps_its_type_and_others_become_text() -> None:
    assert filled("${{ inputs.keep }}", CONTEXTS, {}) is False
    assert filled("keep-${{ inputs.keep }}", CONTEXTS, {}) == "keep-false"


def test_a_condition_asks_for_success_unless_it_asks_for_a_status() -> None:
    failed = {"success": lambda: False, "cancelled": lambda: False, "always": lambda: True}
    assert not condition(None, CONTEXTS, failed)
    assert not condition("github.event_name == 'push'", CONTEXTS, failed)
    assert condition("${{ !cancelled() && github.event_name == 'push' }}", CONTEXTS, failed)
    assert condition("always()", CONTEXTS, failed)


def test_an_unknown_context_is_an_error() -> None:
    with pytest.raises(ValueError, match="secret"):
        evaluate("secret.X", CONTEXTS, {})
