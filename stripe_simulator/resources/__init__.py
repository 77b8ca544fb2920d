"""What the simulator can do: every module here registers its routes and due jobs, and is found by being here."""
