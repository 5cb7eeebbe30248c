"""nbclient runs notebooks through jupyter_server's GatewayKernelManager: what papermill and Airflow do with a gateway."""

import nbformat.v4 as v4
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}


def run(server, *codes, kernelspec="python3"):
    server.be_the_gateway()
    metadata = {"kernelspec": KERNELSPEC | {"name": kernelspec}}
    book = v4.new_notebook(cells=[v4.new_code_cell(code) for code in codes], metadata=metadata)
    client = NotebookClient(book, timeout=600, kernel_manager_class="jupyter_server.gateway.managers.GatewayKernelManager")
    client.execute(kernel_name=kernelspec)  # the manager starts python3 whatever the notebook says
    return [cell.outputs for cell in book.cells]


def printed(outputs):
    return "".join(o["text"] for o in outputs if o["output_type"] == "stream" and o["name"] == "stdout")


def test_streams_results_and_displays(server):
    stream, result, display = run(server, "print('hi')", "1 + 1", "from IPython.display import display\ndisplay({'text/plain': 'd'}, raw=True)")
    assert printed(stream) == "hi\n"
    assert result[0]["data"]["text/plain"] == "2"
    assert display[0]["output_type"] == "display_data"


@pytest.mark.parametrize(("server", "lines"), [("direct", 20_000), ("behind a stock server", 5_000)], indirect=["server"])
def test_flushed_lines_arrive_whole_and_in_order(server, lines):
    (outputs,) = run(server, f"for i in range({lines}): print(i, flush=True)")
    assert printed(outputs) == "".join(f"{i}\n" for i in range(lines))


def test_binary_buffers_do_not_kill_the_reader(server):
    opened = r"from comm import create_comm; create_comm(target_name='x', data={}, buffers=[b'\xff\xfe\x00\x80'])"
    _, after = run(server, opened, "print('alive')")
    assert printed(after) == "alive\n"


def test_an_error_stops_the_notebook(server):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run(server, "1/0", "print('never')")


def test_kernels_are_gone_afterwards(server):
    run(server, "1")
    assert server.ask("GET", "/api/kernels") == []
