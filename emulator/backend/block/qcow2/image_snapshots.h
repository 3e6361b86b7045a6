// Snapshots within a qcow2 image ("Snapshots" in the format's description; relayout.h has how they are made).
//
// The machine's state lies behind the disk, in clusters that only the snapshot's L1 table names: where QEMU has its own as well.
#pragma once

#include <optional>

#include "emulator/backend/block/disk_snapshots.h"
#include "emulator/backend/block/qcow2/relayout.h"
#include "emulator/backend/block/qcow2/snapshot_table.h"

namespace weft::backend::qcow2 {

class Image;

class ImageSnapshots final : public DiskSnapshots {
  public:
    explicit ImageSnapshots(Image& image) : image_(image) {}

    Result<std::vector<SnapshotInfo>> list() override;
    Result<std::unique_ptr<StateWriter>> begin_state() override;
    Result<> create(const SnapshotInfo& info, std::unique_ptr<StateWriter> state) override;
    Result<> apply(const std::string& name) override;
    Result<> remove(const std::string& name) override;
    Result<size_t> read_state(const std::string& name, uint64_t offset, std::span<uint8_t> bytes) override;

  private:
    class State;

    // L1 entries that the disk takes; those of a machine's state follow.
    uint64_t disk_entries() const;
    Result<Snapshot> find(const std::string& name);
    Relayout begin_change();
    Result<Relayout::Content> content();
    Result<> commit(Relayout& relayout, Relayout::Content content);
    Result<std::vector<uint64_t>> l1_of(const Snapshot& snapshot);
    Result<> read_cluster(uint64_t number, uint64_t within, std::span<uint8_t> bytes);
    template <class T>
    Result<T> named(const Result<T>& result) const;

    Image& image_;
    // Whose state is being read: its L1 table, and the L2 table that was read last.
    std::string read_name_;
    uint64_t read_bytes_ = 0;
    std::vector<uint64_t> read_l1_;
    uint64_t read_l2_offset_ = 0;
    std::vector<uint8_t> read_l2_;
};

}  // namespace weft::backend::qcow2
