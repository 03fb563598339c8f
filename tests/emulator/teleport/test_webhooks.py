import hashlib
import hmac
import json


def test_each_end_is_told_once_and_signed(emu, teleport, settings, photos_zip):
    service = emu.service("teleport")
    service.webhooks()
    good = teleport.finish(photos_zip)
    settings.outcome = "POSE_REFINEMENT_FAILED"
    bad = teleport.finish(photos_zip)
    told = service.webhooks()
    contents = [json.loads(message.body) for message in told]
    assert contents[0] == {"eid": good["eid"], "sid": good["sid"], "state": "READY"}
    assert contents[1].keys() == {"eid", "sid", "state", "error_reason"}
    assert (contents[1]["eid"], contents[1]["state"]) == (bad["eid"], "ERROR")
    assert contents[1]["error_reason"] == "POSE_REFINEMENT_FAILED"
    for message in told:
        key = service.webhook_secret.encode()
        expected = hmac.new(key, message.body, hashlib.sha256).hexdigest()
        assert message.headers["X-Teleport-Signature"] == expected
    assert service.webhooks() == []
