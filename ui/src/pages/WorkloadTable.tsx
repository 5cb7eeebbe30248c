import { memo, useDeferredValue, useMemo, useState } from "react";
import type { Environment } from "../api/environments";
import type { Workload } from "../api/types";
import { Button } from "../parts/Button";
import { Empty } from "../parts/Empty";
import { RunsOnLabel } from "../parts/RunsOnLabel";
import { SortIcon } from "../parts/icons";
import { StateLabel } from "../parts/StateLabel";
import { Time } from "../parts/Time";
import { byteSize } from "../text/size";
import { isolationWords, kindWord, stateWords } from "../text/state";
import { counted } from "../text/time";
import { columns, found, sorted, type Column, type Order } from "./workloadOrder";

interface Props {
  /** Undefined while they are being read. */
  workloads: Workload[] | undefined;
  /** Those of the project, to tell who should restart; undefined while they are not known. */
  environments: Environment[] | undefined;
  search: string;
  mayStop: (workload: Workload) => boolean;
  onStop: (workload: Workload) => void;
}

const step = 200; // rows drawn at once: ten thousand stay smooth

/** The workloads as a table that sorts. On a narrow screen every row becomes a block. */
export function WorkloadTable({ workloads, environments, search, mayStop, onStop }: Props) {
  const [order, setOrder] = useState<Order>({ column: "name", down: false });
  const [drawn, setDrawn] = useState(step);
  const wanted = useDeferredValue(search); // typing does not wait for a long list
  const rows = useMemo(() => workloads && sorted(found(workloads, wanted), order), [workloads, wanted, order]);

  if (rows?.length === 0) return <Empty title="Nothing found">Nothing that runs here has “{search.trim()}” in its name, person or state.</Empty>;
  return (
    <>
      <table className="table workloads">
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.id} column={column} order={order} onSort={setOrder} />
            ))}
            <th>
              <span className="unseen">Stop</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows ? rows.slice(0, drawn).map((w) => <Row key={w.id} workload={w} environments={environments} stoppable={mayStop(w)} onStop={onStop} />) : <Bones />}
        </tbody>
      </table>
      {rows && rows.length > drawn && (
        <Button onClick={() => setDrawn(drawn + step)}>Show {Math.min(step, rows.length - drawn)} more of {counted(rows.length, "row")}</Button>
      )}
    </>
  );
}

interface HeadProps {
  column: Column;
  order: Order;
  onSort: (order: Order) => void;
}

function Head({ column, order, onSort }: HeadProps) {
  const here = order.column === column.id;
  return (
    <th className={column.right ? "right" : ""} aria-sort={here ? (order.down ? "descending" : "ascending") : "none"}>
      <button type="button" className="sort" data-here={here} data-down={here && order.down} onClick={() => onSort({ column: column.id, down: here ? !order.down : column.right === true })}>
        {column.name}
        <SortIcon />
      </button>
    </th>
  );
}

interface RowProps {
  workload: Workload;
  environments: Environment[] | undefined;
  stoppable: boolean;
  onStop: (workload: Workload) => void;
}

const Row = memo(function Row({ workload, environments, stoppable, onStop }: RowProps) {
  const { tone } = stateWords(workload);
  return (
    <tr className={workload.state === "ended" ? "over" : undefined}>
      <td className="cell-name">
        <div className="cell-strong">{workload.name}</div>
        <div className="small soft">
          {kindWord(workload.kind)} · started <Time at={workload.started} /> · <span title={factsOf(workload)}>{isolationWords(workload.isolation)}</span>
        </div>
        {workload.environment && workload.kind !== "build" && (
          <div className="small soft">
            <RunsOnLabel project={workload.project} on={workload.environment} environments={environments} />
          </div>
        )}
      </td>
      <td className="cell-who">
        {workload.owner}
      </td>
      <td className="cell-state" data-tone={tone}>
        <StateLabel workload={workload} />
      </td>
      <td className="cell-time">
        <Time at={workload.last_activity} />
      </td>
      <td className="cell-memory right number" data-known={workload.memory_bytes > 0}>
        {byteSize(workload.memory_bytes)}
      </td>
      <td className="cell-act">
        {stoppable && workload.state !== "ended" && (
          <Button look="quiet" busy={workload.state === "stopping"} aria-label={`Stop ${workload.name}`} onClick={() => onStop(workload)}>
            Stop
          </Button>
        )}
      </td>
    </tr>
  );
});

/** What is worth knowing of a workload, but seldom. */
function factsOf({ isolation, cpu_seconds }: Workload): string {
  return `Isolation: ${isolation}\nProcessor time: ${Math.round(cpu_seconds)} s`;
}

function Bones() {
  return [2, 3, 1].map((width) => (
    <tr key={width} className="skeleton" aria-hidden="true">
      <td className="cell-name" colSpan={columns.length + 1}>
        <span className="bone" data-width={width} />
      </td>
    </tr>
  ));
}
