from split_ci.main import entry

entry()
