// Units that outlast the process: found by what they were made of, and added for the next one.
//
// The room store/ owns the files of `cache=DIR` (store_file.h) and the form of a unit in them (stored_unit.h). The translator asks
// it before it translates, and gives it what it has made; accelerators make it and have it written at the end. It may use what
// lies below, of which it needs the backend's interface alone.
//
// Two files of one size: when the newer one is full it becomes the older one, and the units that are still in use come back into
// the new one as they are met. So what nobody runs any more goes, and both together have a limit.
//
// Nothing depends on it: a file that is missing, full, damaged or busy costs translations, and no error is any but of create().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "accel/tcg/settings.h"
#include "accel/tcg/store/store_file.h"
#include "accel/tcg/store/stored_unit.h"
#include "base/error.h"
#include "base/mutex.h"
#include "tcg/backend.h"
#include "weft/accel.h"
#include "weft/guest.h"

namespace weft::accel {

struct StoreConfig {
    std::string folder;  // made where it is not there
    uint64_t size;       // most bytes of both files together
    uint64_t identity;   // of all that units depend on (store_identity.h)
};

class TranslationStore {
  public:
    // What the settings ask for. Null: nothing, or it cannot be had, of which the user is warned. `backend` has emitted its
    // runtime code.
    static std::unique_ptr<TranslationStore> open(const Settings& settings, const tcg::Backend& backend,
                                                  const GuestArch& guest, const HostServices& host,
                                                  bool in_process);
    // Error: see open_store_folder() and StoreFile::open().
    static Result<std::unique_ptr<TranslationStore>> create(const StoreConfig& config);
    TranslationStore(const TranslationStore&) = delete;
    TranslationStore& operator=(const TranslationStore&) = delete;

    // The unit of `query`, which lies in `record`. Any thread, with a reader of its own.
    std::optional<StoredUnit> find(const UnitQuery& query, BlockReader& reader, std::vector<uint8_t>* record);
    // Takes a unit that was made, by append_record(), to be written some time. Any thread; may write to the file.
    void add(const UnitQuery& query, std::span<const uint8_t> record) WEFT_EXCLUDES(mutex_);
    // Writes what was added. Any thread; at the end of the process, and before another program takes its place.
    void write() WEFT_EXCLUDES(mutex_);

    static constexpr size_t kFiles = 2;
    // Those that it reads by, ascending, -1 in place of one that there is not; and out of the way of who wants `number` for itself. False, with nothing done: there is no
    // other.
    std::array<int, kFiles> descriptors() const;
    bool make_way(int number) const;

    // Around fork(2): the child has nothing to write, its parent does that.
    void fork_prepare() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
    void fork_parent() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }
    void fork_child() WEFT_NO_THREAD_SAFETY_ANALYSIS;

  private:
    // Records one behind the other, and the hashes of their queries.
    struct Batch {
        struct Entry {
            uint64_t hash, page_sample;
            size_t offset, size;
        };
        std::vector<uint8_t> bytes;
        std::vector<Entry> entries;

        void add(const UnitQuery& query, std::span<const uint8_t> record);
        std::vector<NewRecord> records() const;
    };

    TranslationStore(StoreConfig config, std::string name);
    Result<Appended> append(const Batch& batch) const;
    // Everything there is, in the caller's time; one thread at a time.
    void write_pending() WEFT_EXCLUDES(mutex_);

    const StoreConfig config_;
    const std::string name_;
    StoreFile newer_;  // these two: constant from create() on
    StoreFile older_;

    Mutex mutex_;  // a leaf
    Batch pending_ WEFT_GUARDED_BY(mutex_);
    bool writing_ WEFT_GUARDED_BY(mutex_) = false;   // some thread has taken `pending_` and writes it
    bool given_up_ WEFT_GUARDED_BY(mutex_) = false;  // writing failed: nothing is added any more
};

}  // namespace weft::accel
