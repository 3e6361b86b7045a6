#include "emulator/backend/block/overlay.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text_values.h"

namespace weft::backend {

Result<std::unique_ptr<Overlay>> Overlay::create(std::unique_ptr<BlockBackend> base) {
    Result<TemporaryFile> file = TemporaryFile::create();
    if (!file) {
        return std::unexpected(file.error());
    }
    return std::unique_ptr<Overlay>(new Overlay(std::move(base), std::move(*file)));
}

Overlay::Overlay(std::unique_ptr<BlockBackend> base, TemporaryFile file)
    : base_(std::move(base)),
      file_(std::move(file)),
      written_(static_cast<size_t>((base_->size() + kCluster - 1) / kCluster)) {}

Result<> Overlay::read(uint64_t offset, std::span<uint8_t> data) {
    const MutexLock lock(mutex_);
    while (!data.empty()) {
        const uint64_t cluster = offset / kCluster;
        const auto size =
            static_cast<size_t>(std::min<uint64_t>(data.size(), (cluster + 1) * kCluster - offset));
        const auto piece = data.first(size);
        Result<> done = written_[cluster] ? file_.read(offset, piece) : base_->read(offset, piece);
        if (!done) {
            return done;
        }
        data = data.subspan(size);
        offset += size;
    }
    return {};
}

// Copies a cluster before a part of it is written.
Result<> Overlay::fill(uint64_t cluster) {
    std::vector<uint8_t> bytes(static_cast<size_t>(std::min(kCluster, base_->size() - cluster * kCluster)));
    if (Result<> done = base_->read(cluster * kCluster, bytes); !done) {
        return done;
    }
    return file_.write(cluster * kCluster, bytes);
}

Result<> Overlay::write(uint64_t offset, std::span<const uint8_t> data) {
    const MutexLock lock(mutex_);
    while (!data.empty()) {
        const uint64_t cluster = offset / kCluster;
        const uint64_t end = std::min((cluster + 1) * kCluster, base_->size());
        const auto size = static_cast<size_t>(std::min<uint64_t>(data.size(), end - offset));
        const bool whole = offset == cluster * kCluster && offset + size == end;
        Result<> done = written_[cluster] || whole ? Result<>() : fill(cluster);
        done = done ? file_.write(offset, data.first(size)) : done;
        if (!done) {
            return done;
        }
        written_[cluster] = true;
        data = data.subspan(size);
        offset += size;
    }
    return {};
}

// ---- snapshots ----

class Overlay::State final : public DiskSnapshots::StateWriter {
  public:
    explicit State(TemporaryFile file) : file_(std::move(file)) {}
    Result<> write(std::span<const uint8_t> bytes) override {
        Result<> written = file_.write(size_, bytes);
        size_ += written ? bytes.size() : 0;
        return written;
    }
    TemporaryFile& file() { return file_; }
    uint64_t size() const { return size_; }

  private:
    TemporaryFile file_;
    uint64_t size_ = 0;
};

Result<std::vector<SnapshotInfo>> Overlay::list() {
    const MutexLock lock(mutex_);
    std::vector<SnapshotInfo> list;
    for (const Kept& kept : kept_) {
        list.push_back(kept.info);
    }
    return list;
}

Result<std::unique_ptr<DiskSnapshots::StateWriter>> Overlay::begin_state() {
    Result<TemporaryFile> file = TemporaryFile::create();
    if (!file) {
        return std::unexpected(file.error());
    }
    return std::make_unique<State>(std::move(*file));
}

// Of the clusters that are in it.
Result<> Overlay::copy(const std::vector<bool>& written, const TemporaryFile& from,
                       const TemporaryFile& to) const {
    std::vector<uint8_t> bytes;
    Result<> done;
    for (uint64_t cluster = 0; cluster < written.size() && done; ++cluster) {
        if (written[cluster]) {
            bytes.resize(std::min(kCluster, base_->size() - cluster * kCluster));
            done = from.read(cluster * kCluster, bytes);
            done = done ? to.write(cluster * kCluster, bytes) : done;
        }
    }
    return done;
}

Result<> Overlay::create(const SnapshotInfo& info, std::unique_ptr<StateWriter> state) {
    const MutexLock lock(mutex_);
    Result<TemporaryFile> file = TemporaryFile::create();
    Result<> copied = file ? copy(written_, file_, *file) : std::unexpected(file.error());
    if (!copied) {
        return copied;
    }
    Kept kept{.info = info, .written = written_, .file = std::move(*file), .state = std::nullopt};
    kept.info.id = std::to_string(++last_id_);
    kept.info.vm_state_bytes = 0;
    if (auto* const machine = static_cast<State*>(state.get()); machine != nullptr) {
        kept.info.vm_state_bytes = machine->size();
        kept.state = std::move(machine->file());
    }
    std::erase_if(kept_, [&](const Kept& one) { return one.info.name == info.name; });
    kept_.push_back(std::move(kept));
    return {};
}

std::vector<Overlay::Kept>::iterator Overlay::find(const std::string& name) {
    return std::ranges::find_if(kept_, [&](const Kept& one) { return one.info.name == name; });
}

// What was written since, and is not in the snapshot, is what the image has.
Result<> Overlay::apply(const std::string& name) {
    const MutexLock lock(mutex_);
    const auto kept = find(name);
    if (kept == kept_.end()) {
        return fail(fmt::format("there is no snapshot {}", in_quotes(name)));
    }
    Result<> copied = copy(kept->written, kept->file, file_);
    if (copied) {
        written_ = kept->written;
    }
    return copied;
}

Result<> Overlay::remove(const std::string& name) {
    const MutexLock lock(mutex_);
    const auto kept = find(name);
    if (kept == kept_.end()) {
        return fail(fmt::format("there is no snapshot {}", in_quotes(name)));
    }
    kept_.erase(kept);
    return {};
}

Result<size_t> Overlay::read_state(const std::string& name, uint64_t offset, std::span<uint8_t> bytes) {
    const MutexLock lock(mutex_);
    const auto kept = find(name);
    if (kept == kept_.end()) {
        return fail(fmt::format("there is no snapshot {}", in_quotes(name)));
    }
    const uint64_t size = kept->info.vm_state_bytes;
    bytes = bytes.first(std::min<uint64_t>(bytes.size(), offset < size ? size - offset : 0));
    const Result<> read = bytes.empty() ? Result<>() : kept->state->read(offset, bytes);
    return read ? Result<size_t>(bytes.size()) : std::unexpected(read.error());
}

}  // namespace weft::backend
