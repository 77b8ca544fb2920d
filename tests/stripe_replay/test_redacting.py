from stripe_replay.redacting import Redactor


def test_ids_are_named_by_their_kind_and_place_and_keep_referring():
    redactor = Redactor("r0")

    told = redactor.redact({"id": "cus_Abc123456789", "object": "customer", "note": "of cus_Abc123456789"})
    again = redactor.redact({"customer": "cus_Abc123456789", "other": "cus_Zzz123456789", "id": "in_1Abcdefghijk"})

    assert told == {"id": "<cus 1>", "object": "customer", "note": "of <cus 1>"}
    assert again == {"customer": "<cus 1>", "other": "<cus 2>", "id": "<in 1>"}


def test_words_with_underscores_are_no_ids():
    words = {"billing_reason": "subscription_create", "type": "payment_intent_unexpected_state", "card": "pm_card_visa"}

    assert Redactor("r0").redact(words) == words


def test_secrets_links_and_numbers_are_hidden_and_what_is_not_there_stays_so():
    body = {"client_secret": "pi_1_secret_2", "hosted_invoice_url": "https://…", "number": None, "total": 12}

    assert Redactor("r0").redact(body) == {
        "client_secret": "<hidden>",
        "hosted_invoice_url": "<hidden>",
        "number": None,
        "total": 12,
    }


def test_times_are_times_and_amounts_are_amounts():
    body = {
        "created": 1790000000,
        "amount": 999_999_999,
        "at": "2026-11-02T09:00:00Z",
        "is": True,
        "what": "2027-02-28",
    }

    assert Redactor("r0").redact(body) == {
        "created": "<time>",
        "amount": 999_999_999,
        "at": "<time>",
        "is": True,
        "what": "2027-02-28",
    }


def test_what_made_a_name_unique_is_no_difference():
    assert Redactor("r77").redact({"event_name": "calls_r77", "text": "for ABCD1234-0001"}) == {
        "event_name": "calls_RUN",
        "text": "for <hidden>",
    }
