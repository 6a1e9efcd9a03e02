"""Scripts of faults: which are refused, the order they are played in, and the sandbox's own paths."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from giftcard_gateway.clock import SystemClock
from giftcard_simulators.catalogue import SANDBOXES, Sandbox
from giftcard_simulators.faults import Fault, FaultKind, Match, Script, ScriptError, read_faults
from giftcard_simulators.sandbox import SimRequest
from giftcard_simulators.stage import Stage
from tests.simulators.electrum_till import FUNDED, Reply, Till

DELAY = Fault(fault=FaultKind.DELAY, delay_s=1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"fault": "explode"}, "explode"),
        ({}, "fault"),
        ({"fault": "drop_answer", "time": 2}, "time"),
        ({"fault": "drop_answer", "match": {"paths": "x"}}, "paths"),
        ({"fault": "drop_answer", "times": 0}, "`times` must be 1 or more"),
        ({"fault": "drop_answer", "match": {"path": "("}}, "not a regular expression"),
        ({"fault": "drop_answer", "delay_s": 1}, "`delay_s` means nothing with drop_answer"),
        ({"fault": "drop_answer", "status": 500}, "`status` means nothing with drop_answer"),
        ({"fault": "drop_answer", "after_acting": True}, "`after_acting` means nothing"),
        ({"fault": "delay"}, "delay needs `delay_s`"),
        ({"fault": "delay", "delay_s": 0}, "`delay_s` must be more than 0"),
        ({"fault": "delay", "delay_s": 3601}, "at most 3600"),
        ({"fault": "status"}, "status needs `status`"),
        ({"fault": "status", "status": 99}, "from 200 to 599"),
    ],
)
def test_bad_line(line: dict[str, object], reason: str) -> None:
    """A line that cannot be played is refused with a sentence that names it."""
    with pytest.raises(ScriptError, match="fault 2: ") as refused:
        read_faults(msgspec.json.encode([{"fault": "html_502"}, line]))
    assert reason in str(refused.value)


def test_every_fault_is_named() -> None:
    """All reasons come at once, and nothing of a bad script is played."""
    till, stage = staged()
    stage.script.replace([DELAY])
    body = [{"fault": "nothing"}, {"fault": "status", "times": 0}, {"fault": "delay"}]
    refused = administer(stage, "POST", "faults", msgspec.json.encode(body))
    assert refused.status == 400
    assert [reason[:7] for reason in refused.body["faults"]] == ["fault 1", "fault 2", "fault 2", "fault 3"]
    assert all(reason in refused.body["error"] for reason in refused.body["faults"])
    assert stage.script.left() == [{"fault": "delay", "delay_s": 1}]
    assert till.kinds() == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b'"delay"'])
def test_script_is_a_list(body: bytes) -> None:
    """Whatever is not a JSON list is refused in one sentence."""
    with pytest.raises(ScriptError, match="JSON list"):
        read_faults(body)


def test_script_set_in_process_is_checked() -> None:
    """A script made of structs is checked as one made of JSON."""
    with pytest.raises(ScriptError, match="fault 1: delay needs `delay_s`"):
        Script([Fault(fault=FaultKind.DELAY)])


def test_order_and_counts() -> None:
    """The first fault that fits is played, for as many calls as it says, and then the next."""
    loads = Match(method="post", path="/loads/[^/]+$")
    script = Script(
        [
            Fault(fault=FaultKind.DROP_ANSWER, match=loads, times=2),
            Fault(fault=FaultKind.HTML_502),
        ]
    )
    load = SimRequest(method="POST", path="/giftcard/v3/loads/1")
    confirmation = SimRequest(method="POST", path="/giftcard/v3/loads/1/confirmations/2")
    assert [kind_of(script.take(load)) for _ in range(2)] == ["drop_answer", "drop_answer"]
    assert [kind_of(script.take(confirmation)) for _ in range(2)] == ["html_502", ""]
    assert (script.take(load), script.left()) == (None, [])


def test_method_must_fit() -> None:
    """A fault for one method leaves others alone."""
    script = Script([Fault(fault=FaultKind.HTML_502, match=Match(method="GET"))])
    assert script.take(SimRequest(method="POST", path="/")) is None


def kind_of(fault: Fault | None) -> str:
    """Return the fault's name, or nothing."""
    return fault.fault.value if fault else ""


def staged() -> tuple[Till, Stage]:
    """Return a till and a stage over the same simulator."""
    till = Till()
    return till, Stage(till.simulator, Script(), can_refuse=False)


def administer(stage: Stage, method: str, path: str, body: bytes = b"") -> Reply:
    """Send one request to the sandbox's own paths."""
    asked = SimRequest(method=method, path=f"/_sandbox/{path}", body=body)
    return Reply(asyncio.run(stage.play(asked)).answer)


def test_sandbox_shows_the_books() -> None:
    """Cards and effects are shown without credentials, each effect once and in order."""
    till, stage = staged()
    load_id = till.ask("load", FUNDED, amount=250).body["id"]
    till.confirm("load", load_id)
    till.confirm("load", load_id)
    assert administer(stage, "GET", "cards").body["cards"] == till.simulator.cards()
    effects = administer(stage, "GET", "effects").body["effects"]
    assert [(effect["seq"], effect["kind"], effect["transaction"]) for effect in effects] == [
        (1, "load", load_id),
        (2, "confirm", load_id),
    ]
    assert effects[0] == {
        "seq": 1,
        "at": "2026-11-21T12:00:00Z",
        "kind": "load",
        "transaction": load_id,
        "cards": [FUNDED],
        "amount_minor": 250,
        "currency": "ZAR",
        "changes": [{"card": FUNDED, "book_minor": 250, "available_minor": 0}],
    }


def test_sandbox_reset() -> None:
    """A reset brings back the demo cards and forgets effects, used ids and the script."""
    till, stage = staged()
    opening = till.simulator.cards()
    load_id = till.ask("load", FUNDED, amount=250).body["id"]
    administer(stage, "POST", "faults", b'[{"fault": "html_502"}]')
    assert administer(stage, "GET", "faults").body["faults"] == [{"fault": "html_502"}]
    assert administer(stage, "POST", "reset").status == 200
    assert (till.simulator.cards(), till.kinds(), stage.script.left()) == (opening, [], [])
    assert till.ask("load", FUNDED, amount=250, id=load_id).status == 201


@pytest.mark.parametrize("sandbox", SANDBOXES, ids=lambda sandbox: sandbox.provider_id)
@pytest.mark.parametrize("status", [299, 418, 499, 599])
def test_any_status_can_be_played(sandbox: Sandbox, status: int) -> None:
    """A simulator answers every status a script may name, also those that no standard has a phrase for."""
    clock = SystemClock()
    script = Script([Fault(fault=FaultKind.STATUS, status=status)])
    stage = Stage(sandbox.make(now=clock.now, ids=clock.uuid4), script, can_refuse=False)
    played = asyncio.run(stage.play(SimRequest(method="GET", path="/")))
    assert played.answer is not None
    assert played.answer.status == status


def test_sandbox_has_no_other_paths() -> None:
    """An unknown path of the sandbox is 404 and says what there is; faults never hit it."""
    _, stage = staged()
    stage.script.replace([Fault(fault=FaultKind.HTML_502)])
    assert "GET cards" in administer(stage, "GET", "nothing").body["error"]
    assert administer(stage, "POST", "cards").status == 404
    assert len(stage.script.left()) == 1


def test_refusing_is_only_for_a_process() -> None:
    """A port cannot refuse a connection it has taken, so it refuses that script."""
    _, stage = staged()
    refused = administer(stage, "POST", "faults", b'[{"fault": "refuse_connection"}]')
    assert (refused.status, "inside a process" in refused.body["error"]) == (400, True)
