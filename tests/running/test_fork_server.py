import subprocess
import sys

START = """
import os, pickle
from multiprocessing import forkserver
from scoring.running import fork_server
fork_server.context()
whole = pickle.dumps({}) + pickle.dumps(list(range(1000)))
for sent in (b"", pickle.dumps({}), whole[:-100], pickle.dumps({}) + b"cnowhere\\nnothing\\n."):
    status, to_child = forkserver.connect_to_new_process([])
    os.write(to_child, sent)
    os.close(to_child)
    assert os.read(status, 100), "the process has not ended"
"""


def test_a_process_whose_start_is_cut_off_says_nothing_and_any_other_error_shows():
    """The program is killed before it sends anything, between two parts, and within one. The last part is wrong."""
    result = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("Traceback") == 1
    assert result.stderr.endswith("ModuleNotFoundError: No module named 'nowhere'\n")
