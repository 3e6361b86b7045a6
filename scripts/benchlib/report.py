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


def write_text(path, text):
    """Writes a result; a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(path.name + ".new")
    work.write_text(text)
    work.replace(path)
    print(f"written to {path}")


def write_json(path, result):
    write_text(path, json.dumps(result, indent=2) + "\n")


def print_table(header, rows):
    """Columns as wide as their widest cell, numbers to the right, and texts in the first column to the left."""
    cells = [header] + [[cell if isinstance(cell, str) else f"{cell:.3f}" if isinstance(cell, float) else str(cell)
                         for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    texts = rows and isinstance(rows[0][0], str)
    for row in cells:
        first = row[0].ljust(widths[0]) if texts else row[0].rjust(widths[0])
        print("  ".join([first, *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]))
