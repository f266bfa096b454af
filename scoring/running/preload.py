"""What the fork server does once for all the processes that it forks: imports, and packing its memory."""

from scoring.running import fork_server

# The imports below take seconds, and Ctrl-C would show where they are.
fork_server.ignore_ctrl_c()

# The first step of an optimizer imports it: two seconds.
import torch._dynamo  # noqa: E402, F401

import scoring.running.pools  # noqa: E402, F401
from scoring.untrusted.processes import pack_memory  # noqa: E402

fork_server.keep_quiet_about_lost_starts()
pack_memory()
