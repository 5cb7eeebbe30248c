import { useEffect } from "react";
import type { Build, Phase } from "../../api/environments";
import type { StreamState } from "../../api/events";
import { Elapsed } from "../../parts/Elapsed";
import { announce } from "../../parts/notices";
import { StateWord } from "../../parts/StateLabel";
import { buildWords, hasEnded, phases } from "../../text/environment";
import { byteSize } from "../../text/size";
import { counted } from "../../text/time";
import { share, shareOf, type Progress, type Step } from "./progress";

interface Props {
  build: Build;
  progress: Progress;
  stream: StreamState;
}

/** A build's phases as steps, with a bar, and what is being done now. */
export function BuildProgress({ build, progress, stream }: Props) {
  const ended = hasEnded(build.state);
  const words = buildWords(build);
  const now = progress.steps.find((s) => s.state === "now");
  const phase = now?.phase;
  useEffect(() => {
    if (phase) announce(doing(phase));
  }, [phase]);
  const percent = Math.round(100 * share(progress));
  return (
    <section className="build" aria-label="Progress">
      <div className="build-head">
        <StateWord tone={words.tone} word={words.word} />
        {!ended && <span className="soft">{now ? <Doing step={now} /> : waitingWords(build)}</span>}
        {!ended && build.started && (
          <span className="build-time soft">
            <Elapsed since={Date.parse(build.started)} />
          </span>
        )}
      </div>
      {!ended && <progress className="bar" max={100} value={percent} aria-label={`Build ${build.build}`} />}
      {!build.reused && (
        <ol className="steps">
          {progress.steps.map((step) => (
            <StepItem key={step.phase} step={step} />
          ))}
        </ol>
      )}
      {!ended && stream.kind === "lost" && <p className="small soft">The connection is lost; the build goes on. This page catches up when it is back.</p>}
    </section>
  );
}

function waitingWords({ state, waiting }: Build): string {
  return waiting || (state === "queued" ? "Waiting for its turn" : "");
}

const doing = (phase: Phase) => phases.find((p) => p.phase === phase)?.doing ?? phase;

function Doing({ step }: { step: Step }) {
  return (
    <>
      {doing(step.phase)}
      {step.package && (
        <>
          : <span className="ink">{step.package}</span>
        </>
      )}
    </>
  );
}

function StepItem({ step }: { step: Step }) {
  return (
    <li data-state={step.state} aria-current={step.state === "now" ? "step" : undefined}>
      <span className="step-bar" aria-hidden="true">
        <span style={{ width: `${Math.round(100 * (step.state === "failed" ? 1 : shareOf(step)))}%` }} />
      </span>
      <span className="step-name">
        {phases.find((p) => p.phase === step.phase)?.name}
        <span className="unseen">: {stepWords[step.state]}</span>
      </span>
      <span className="step-count small soft number">{countWords(step)}</span>
    </li>
  );
}

const stepWords: Record<Step["state"], string> = { waiting: "not begun", now: "under way", done: "done", failed: "did not end well", stopped: "stopped", skipped: "not needed" };

/** "12 of 40 · 80 MB of 210 MB": as much as is known. The last phase counts files, the others packages. */
function countWords({ phase, state, done, total, bytes, totalBytes }: Step): string {
  if (state === "waiting") return "";
  if (state === "skipped") return "not needed";
  const all = phase === "finish" ? counted(total, "file") : String(total);
  const things = total > 0 ? `${done} of ${all}` : "";
  const size = totalBytes > 0 ? (state === "done" ? byteSize(totalBytes) : `${byteSize(bytes)} of ${byteSize(totalBytes)}`) : "";
  if (state === "done" && total > 0) return [all, size].filter(Boolean).join(" · ");
  return [things, size].filter(Boolean).join(" · ");
}
