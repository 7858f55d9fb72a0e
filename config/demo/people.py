"""The people of the demo company. Everybody has the same password: it is a demo."""

DEMO_PASSWORD = "granary-demo"  # noqa: S105 - printed at the start of every demo, meant to be known
# user name: role
DEMO_USERS: dict[str, str] = {
    "admin": "admin",
    "paula": "planner",
    "bruno": "buyer",
    "stella": "stock_keeper",
    "anton": "approver",
    "vera": "viewer",
    "audrey": "auditor",
}
