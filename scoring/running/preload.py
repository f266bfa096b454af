"""What the fork server does once for all the processes that it forks: imports, and packing its memory."""

# The first step of an optimizer imports it: two seconds.
import torch._dynamo  # noqa: F401

import scoring.running.pools  # noqa: F401
from scoring.running.fork_server import keep_quiet_about_lost_starts
from scoring.untrusted.processes import pack_memory

keep_quiet_about_lost_starts()
pack_memory()
