// What a machine does to be kept in its disks: SnapshotOperations.
#include <fmt/format.h>

#include <algorithm>

#include "base/text_values.h"
#include "emulator/machine/machine.h"

namespace weft::machine {

namespace {

// Into the disk that keeps the machine.
class StateSink final : public saved::Sink {
  public:
    explicit StateSink(backend::DiskSnapshots::StateWriter& state) : state_(state) {}
    Result<> write(std::span<const uint8_t> bytes) override { return state_.write(bytes); }

  private:
    backend::DiskSnapshots::StateWriter& state_;
};

class StateSource final : public saved::Source {
  public:
    StateSource(backend::DiskSnapshots& disk, const std::string& name) : disk_(disk), name_(name) {}
    Result<size_t> read(std::span<uint8_t> bytes) override {
        const Result<size_t> got = disk_.read_state(name_, offset_, bytes);
        offset_ += got.value_or(0);
        return got;
    }

  private:
    backend::DiskSnapshots& disk_;
    const std::string& name_;
    uint64_t offset_ = 0;
};

bool has(const std::vector<backend::SnapshotInfo>& list, const std::string& name) {
    return std::ranges::find(list, name, &backend::SnapshotInfo::name) != list.end();
}

}  // namespace

// The machine stands still for a scope, and goes on if it ran and nobody says otherwise.
class Machine::Stopped {
  public:
    explicit Stopped(Machine& machine) : machine_(machine), ran_(machine.running_) {}
    ~Stopped() {
        if (ran_ && !machine_.about_to_end()) {
            if (const Result<> resumed = machine_.set_running(true); !resumed) {
                machine_.fatal(resumed.error().message().c_str());
            }
        }
    }
    Stopped(const Stopped&) = delete;
    Stopped& operator=(const Stopped&) = delete;
    bool ran() const { return ran_; }
    void stay() { ran_ = false; }

  private:
    Machine& machine_;
    bool ran_;
};

Result<> Machine::check_not_transferred() {
    if (awaited_) {
        return fail("the machine has not come yet");
    }
    return migration_->under_way() ? fail("it is being sent elsewhere (migrate_cancel ends that)")
                                   : Result<>();
}

Result<std::vector<Machine::SnapshotDisk>> Machine::snapshot_disks() {
    std::vector<SnapshotDisk> disks;
    for (const NamedDisk& disk : disks_) {
        if (disk.disk->read_only()) {
            continue;
        }
        backend::DiskSnapshots* const snapshots = disk.disk->snapshots();
        if (snapshots == nullptr) {
            return fail(fmt::format(
                "disk {} is written to, and keeps no snapshots ({}; qcow2 does, as does snapshot=on)",
                in_quotes(disk.name), disk.disk->format()));
        }
        disks.push_back({disk.name, snapshots});
    }
    if (disks.empty()) {
        return fail(
            "no disk is there that could keep the machine (a qcow2 image that is written to, or "
            "snapshot=on)");
    }
    return disks;
}

Result<> Machine::save_snapshot(const std::string& name) {
    Result<> possible = check_not_transferred();
    possible = possible ? saved_->check() : possible;
    if (possible && (name.empty() || name.size() > backend::kMaxSnapshotName)) {
        possible = fail(fmt::format("a snapshot's name has 1 to {} bytes", backend::kMaxSnapshotName));
    }
    const Result<std::vector<SnapshotDisk>> disks =
        possible ? snapshot_disks() : std::unexpected(possible.error());
    if (!disks) {
        return std::unexpected(disks.error());
    }
    const Stopped stopped(*this);
    Result<> done = stop_to_save();
    return done ? keep(name, *disks, stopped.ran()) : done;
}

// The disk with the machine comes last: a snapshot that lacks it is none of a machine's.
Result<> Machine::keep(const std::string& name, std::span<const SnapshotDisk> disks, bool ran) {
    Result<std::vector<saved::Part>> parts = saved_->parts(ran);
    if (!parts) {
        return std::unexpected(parts.error());
    }
    backend::DiskSnapshots& keeper = *disks.front().snapshots;
    const backend::SnapshotInfo info{.id = {},
                                     .name = name,
                                     .date_ns = realtime_ns(),
                                     .vm_clock_ns = time_ != nullptr ? now_ns() : now_ns() - made_at_ns_,
                                     .vm_state_bytes = 0};
    if (disks.size() > 1) {
        const auto list = keeper.list();
        Result<> removed = !list              ? std::unexpected(list.error())
                           : has(*list, name) ? keeper.remove(name)
                                              : Result<>();
        if (!removed) {
            return removed;
        }
    }
    for (const SnapshotDisk& disk : disks.subspan(1)) {
        if (Result<> created = disk.snapshots->create(info, nullptr); !created) {
            return created;
        }
    }
    auto state = keeper.begin_state();
    if (!state) {
        return std::unexpected(state.error());
    }
    StateSink sink(**state);
    saved::Progress progress;
    Result<> done = write_machine(sink, saved_->facts(), *parts, saved_->memory(), progress);
    return done ? keeper.create(info, std::move(*state)) : done;
}

Result<> Machine::load_snapshot(const std::string& name) {
    Result<> possible = check_not_transferred();
    possible = possible ? saved_->check() : possible;
    const Result<std::vector<SnapshotDisk>> disks =
        possible ? snapshot_disks() : std::unexpected(possible.error());
    if (!disks) {
        return std::unexpected(disks.error());
    }
    for (const SnapshotDisk& disk : *disks) {
        const auto list = disk.snapshots->list();
        if (!list) {
            return std::unexpected(list.error());
        }
        if (!has(*list, name)) {
            return fail(fmt::format("disk {} has no snapshot {}", in_quotes(disk.name), in_quotes(name)));
        }
    }
    Stopped stopped(*this);
    if (Result<> done = stop_to_save(); !done) {
        return done;
    }
    StateSource source(*disks->front().snapshots, name);
    const Result<saved::StagedMachine> staged = read_machine(source, saved_->expected());
    Result<> fits = staged ? saved_->fits(*staged) : std::unexpected(staged.error());
    if (!fits) {
        return std::unexpected(fits.error().within(fmt::format("snapshot {}", in_quotes(name))));
    }
    for (const SnapshotDisk& disk : *disks) {
        if (Result<> applied = disk.snapshots->apply(name); !applied) {
            stopped.stay();
            return std::unexpected(
                applied.error().within("disks no longer belong to the machine, which stays stopped"));
        }
    }
    const Result<bool> loaded = load(*staged);
    started_ = true;
    return loaded ? Result<>() : std::unexpected(loaded.error());
}

Result<> Machine::delete_snapshot(const std::string& name) {
    Result<> possible = check_not_transferred();
    const Result<std::vector<SnapshotDisk>> disks =
        possible ? snapshot_disks() : std::unexpected(possible.error());
    if (!disks) {
        return std::unexpected(disks.error());
    }
    const Stopped stopped(*this);
    if (Result<> done = stop_to_save(); !done) {
        return done;
    }
    bool found = false;
    for (const SnapshotDisk& disk : *disks) {
        const auto list = disk.snapshots->list();
        const bool there = list && has(*list, name);
        Result<> removed = !list   ? std::unexpected(list.error())
                           : there ? disk.snapshots->remove(name)
                                   : Result<>();
        if (!removed) {
            return removed;
        }
        found = found || there;
    }
    return found ? Result<>() : fail(fmt::format("no disk has a snapshot {}", in_quotes(name)));
}

Result<std::vector<backend::SnapshotInfo>> Machine::list_snapshots() {
    const Result<std::vector<SnapshotDisk>> disks = snapshot_disks();
    if (!disks) {
        return std::unexpected(disks.error());
    }
    std::vector<backend::SnapshotInfo> common;
    for (const SnapshotDisk& disk : *disks) {
        const auto list = disk.snapshots->list();
        if (!list) {
            return std::unexpected(list.error());
        }
        if (&disk == &disks->front()) {
            common = *list;
        }
        std::erase_if(common, [&](const backend::SnapshotInfo& one) { return !has(*list, one.name); });
    }
    return common;
}

}  // namespace weft::machine
