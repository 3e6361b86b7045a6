"""Tables for people, JSON for programs."""

import json
import os
import platform


def host():
    model = ""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cpus": len(os.sched_getaffinity(0)), "kernel": platform.release()}


def write_json(path, result):
    """Writes the result; a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(path.name + ".new")
    work.write_text(json.dumps(result, indent=2) + "\n")
    work.replace(path)
    print(f"written to {path}")


def print_table(header, rows):
    """Columns as wide as their widest cell, numbers to the right."""
    cells = [header] + [[cell if isinstance(cell, str) else f"{cell:.3f}" if isinstance(cell, float) else str(cell)
                         for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths)))
