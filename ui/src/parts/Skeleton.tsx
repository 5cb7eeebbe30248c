/** Grey places for lines that are being read, of the height that the lines will have. */
export function SkeletonRows({ rows, className }: { rows: number; className: string }) {
  return (
    <div aria-busy="true" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className={`${className} skeleton`}>
          <span className="bone" data-width={(i % 3) + 1} />
        </div>
      ))}
    </div>
  );
}
