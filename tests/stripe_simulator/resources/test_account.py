def test_a_key_tells_its_account(simulator):
    account = simulator.client().v1.accounts.retrieve_current()
    assert (account.id, account.charges_enabled) == ("acct_1PalierSimulator", True)
