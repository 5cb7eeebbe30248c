import { memo, useDeferredValue, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { Edit, Item } from "../../api/environments";
import { Button } from "../../parts/Button";
import { Empty } from "../../parts/Empty";
import { SortIcon } from "../../parts/icons";
import { byteSize } from "../../text/size";
import { columns, found, needers, sorted, sourceOf, whyHere, type Column, type Order } from "./packageRows";
import { useVisibleRows } from "./useVisibleRows";

interface Props {
  /** Undefined while they are being read. */
  items: Item[] | undefined;
  search: string;
  requestedOnly: boolean;
  /** What is marked; undefined where nothing can be changed. */
  edit?: Edit | undefined;
  onMark?: ((mark: "remove" | "upgrade", name: string) => void) | undefined;
}

const narrow = "(max-width: 820px)";
const rowHeight = { wide: 45, narrow: 67 }; // as in environment.css

/** The packages as a table that sorts. Only the rows in view are drawn, so that ten thousand stay smooth. */
export function PackageTable({ items, search, requestedOnly, edit, onMark }: Props) {
  const [order, setOrder] = useState<Order>({ column: "name", down: false });
  const body = useRef<HTMLTableSectionElement>(null);
  const wanted = useDeferredValue(search); // typing does not wait for a long list
  const rows = useMemo(() => items && sorted(found(items, wanted, requestedOnly), order), [items, wanted, requestedOnly, order]);
  const needed = useMemo(() => needers(items ?? []), [items]);
  const height = useNarrow() ? rowHeight.narrow : rowHeight.wide;
  const count = rows?.length ?? 0;
  const { from, to } = useVisibleRows(body, count, height);

  if (rows?.length === 0) return <Empty title="Nothing found">No package has “{search.trim()}” in its name, version, licence or source.</Empty>;
  return (
    <table className="table packages" aria-rowcount={count + 1}>
      <thead>
        <tr aria-rowindex={1}>
          {columns.map((column) => (
            <Head key={column.id} column={column} order={order} onSort={setOrder} />
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        {!rows && <Bones />}
        {from > 0 && <Gap rows={from} height={height} />}
        {rows?.slice(from, to).map((item, i) => (
          <Row key={`${item.from} ${item.name}`} index={from + i + 2} item={item} why={whyHere(item, needed)} marked={markOf(edit, item.name)} onMark={onMark} />
        ))}
        {to < count && <Gap rows={count - to} height={height} />}
      </tbody>
    </table>
  );
}

type Mark = "remove" | "upgrade" | undefined;

function markOf(edit: Edit | undefined, name: string): Mark {
  if (edit?.remove.includes(name)) return "remove";
  return edit?.upgrade.includes(name) ? "upgrade" : undefined;
}

/** Keeps the place of rows that are not drawn. */
function Gap({ rows, height }: { rows: number; height: number }) {
  return (
    <tr className="gap" aria-hidden="true">
      <td colSpan={columns.length} style={{ height: rows * height }} />
    </tr>
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
    <th className={`head-${column.id} ${column.right ? "right" : ""}`} aria-sort={here ? (order.down ? "descending" : "ascending") : "none"}>
      <button type="button" className="sort" data-here={here} data-down={here && order.down} onClick={() => onSort({ column: column.id, down: here ? !order.down : column.right === true })}>
        {column.name}
        <SortIcon />
      </button>
    </th>
  );
}

interface RowProps {
  index: number;
  item: Item;
  why: string;
  marked: Mark;
  onMark: Props["onMark"];
}

const Row = memo(function Row({ index, item, why, marked, onMark }: RowProps) {
  return (
    <tr aria-rowindex={index} data-marked={marked}>
      <td className="cell-name" title={item.build ? `${item.name} ${item.version} ${item.build}` : item.name}>
        <span className={item.requested ? "cell-strong" : undefined}>{item.name}</span> <span className="why small faint">{why}</span>
      </td>
      <td className="cell-version number" title={item.version}>
        {item.version}
      </td>
      <td className="cell-license" title={item.license}>
        {item.license || "–"}
      </td>
      <td className="cell-from" title={item.url ?? item.channel}>
        {sourceOf(item)}
      </td>
      <td className="cell-size right number">
        <span className="size">{byteSize(item.size ?? 0)}</span>
        {onMark && <Acts item={item} marked={marked} onMark={onMark} />}
      </td>
    </tr>
  );
});

/** What can be done with a package lies over the row's end while there is a pointer or the focus. */
function Acts({ item, marked, onMark }: { item: Item; marked: Mark; onMark: NonNullable<Props["onMark"]> }) {
  if (marked) return <span className="acts">{act(`Undo ${marked}`, `Keep ${item.name} as it is`, () => onMark(marked, item.name))}</span>;
  return (
    <span className="acts">
      {act("Upgrade", `Upgrade ${item.name}`, () => onMark("upgrade", item.name))}
      {item.requested && act("Remove", `Remove ${item.name}`, () => onMark("remove", item.name))}
    </span>
  );
}

function act(name: string, label: string, onClick: () => void) {
  return (
    <Button look="quiet" className="slim" aria-label={label} onClick={onClick}>
      {name}
    </Button>
  );
}

function Bones() {
  return [2, 3, 1, 2, 1, 3].map((width, i) => (
    <tr key={i} className="skeleton" aria-hidden="true">
      <td colSpan={columns.length}>
        <span className="bone" data-width={width} />
      </td>
    </tr>
  ));
}

function useNarrow(): boolean {
  return useSyncExternalStore(watchWidth, () => matchMedia(narrow).matches);
}

function watchWidth(changed: () => void): () => void {
  const query = matchMedia(narrow);
  query.addEventListener("change", changed);
  return () => query.removeEventListener("change", changed);
}
