import sys

from split_ci.main import main

sys.exit(main())
