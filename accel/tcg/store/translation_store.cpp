#include "accel/tcg/store/translation_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <new>
#include <system_error>
#include <utility>

#include "accel/tcg/store/store_folder.h"
#include "accel/tcg/store/store_identity.h"

namespace weft::accel {

namespace {

// Enough that the way to the file is short beside the writing.
constexpr size_t kWriteFrom = size_t{256} << 10;
// Where another process keeps the file locked.
constexpr size_t kMostPending = size_t{4} << 20;

}  // namespace

void TranslationStore::Batch::add(const UnitQuery& query, std::span<const uint8_t> record) {
    entries.push_back({query.hash(), query.page_sample, bytes.size(), record.size()});
    bytes.insert(bytes.end(), record.begin(), record.end());
}

std::vector<NewRecord> TranslationStore::Batch::records() const {
    std::vector<NewRecord> all;
    all.reserve(entries.size());
    for (const Entry& entry : entries) {
        all.push_back({entry.hash, entry.page_sample, std::span(bytes).subspan(entry.offset, entry.size)});
    }
    return all;
}

TranslationStore::TranslationStore(StoreConfig config, std::string name)
    : config_(std::move(config)), name_(std::move(name)) {}

Result<std::unique_ptr<TranslationStore>> TranslationStore::create(const StoreConfig& config) {
    StoreConfig absolute = config;
    std::error_code error;
    // A guest's working directory is the process's.
    absolute.folder = std::filesystem::absolute(config.folder, error).string();
    if (error) {
        return fail(config.folder + ": " + error.message());
    }
    std::unique_ptr<TranslationStore> store(
        new TranslationStore(std::move(absolute), store_name(config.identity)));
    const auto folder = open_store_folder(store->config_.folder, StoreFolder::make);
    if (!folder) {
        return std::unexpected(folder.error());
    }
    auto newer = StoreFile::open_existing(folder->get(), store->name_, config.identity);
    if (newer && !*newer) {
        remove_unused_stores(folder->get());
        newer = StoreFile::open(folder->get(), store->name_, config.identity, config.size / 2);
    }
    auto older = StoreFile::open_existing(folder->get(), old_store_name(store->name_), config.identity, 1);
    for (const auto* file : {&newer, &older}) {
        if (!*file) {
            return std::unexpected(file->error().within(store->config_.folder));
        }
    }
    store->newer_ = std::move(*newer);
    store->older_ = std::move(*older);
    return store;
}

std::unique_ptr<TranslationStore> TranslationStore::open(const Settings& settings,
                                                         const tcg::Backend& backend, const GuestArch& guest,
                                                         const HostServices& host, bool in_process) {
    if (settings.cache_folder.empty()) {
        return nullptr;
    }
    const auto warn = [&host](const std::string& reason) {
        host.warn(host.opaque, fmt::format("translations are not kept: {}", reason).c_str());
        return nullptr;
    };
    const uint64_t identity = store_identity(backend, guest, settings, in_process);
    if (identity == 0) {
        return warn("this build of weft has no build id");
    }
    auto store = create({settings.cache_folder, settings.cache_mib << 20, identity});
    return store ? std::move(*store) : warn(store.error().message());
}

std::optional<StoredUnit> TranslationStore::find(const UnitQuery& query, BlockReader& reader,
                                                 std::vector<uint8_t>* record) try {
    auto found = newer_.find(query, reader, record);
    if (!found && older_) {
        found = older_.find(query, reader, record);
        if (found) {
            add(query, *record);  // it is still in use
        }
    }
    return found;
} catch (const std::bad_alloc&) {
    return std::nullopt;
}

std::array<int, TranslationStore::kFiles> TranslationStore::descriptors() const {
    const auto number = [](const StoreFile& file) { return file ? file.descriptor()->get() : -1; };
    std::array<int, kFiles> all = {number(newer_), number(older_)};
    std::ranges::sort(all);
    return all;
}

bool TranslationStore::make_way(int number) const {
    for (const StoreFile* file : {&newer_, &older_}) {
        if (*file && file->descriptor()->get() == number) {
            return file->descriptor()->move();
        }
    }
    return true;
}

void TranslationStore::add(const UnitQuery& query, std::span<const uint8_t> record) {
    try {
        MutexLock lock(mutex_);
        if (given_up_ || pending_.bytes.size() + record.size() > kMostPending) {
            return;
        }
        pending_.add(query, record);
        if (pending_.bytes.size() < kWriteFrom || writing_) {
            return;
        }
    } catch (const std::bad_alloc&) {
        return;
    }
    write_pending();
}

void TranslationStore::write() { write_pending(); }

void TranslationStore::write_pending() {
    Batch batch;
    {
        MutexLock lock(mutex_);
        if (writing_ || given_up_ || pending_.entries.empty()) {
            return;
        }
        writing_ = true;
        std::swap(batch, pending_);
    }
    bool again = false;
    bool failed = false;
    try {
        const Result<Appended> end = append(batch);
        failed = !end;
        again = end && *end == Appended::busy;
    } catch (const std::bad_alloc&) {
        failed = true;
    }
    MutexLock lock(mutex_);
    writing_ = false;
    given_up_ = given_up_ || failed;
    if (again && pending_.entries.empty()) {
        std::swap(batch, pending_);
    }
}

Result<Appended> TranslationStore::append(const Batch& batch) const {
    const auto folder = open_store_folder(config_.folder, StoreFolder::existing);
    if (!folder) {
        return std::unexpected(folder.error());
    }
    const std::vector<NewRecord> records = batch.records();
    const auto end = append_to_store(folder->get(), name_, config_.identity, records);
    if (!end || *end != Appended::full) {
        return end;
    }
    if (Result<> begun =
            begin_new_store(folder->get(), name_, old_store_name(name_), config_.identity, config_.size / 2);
        !begun) {
        return std::unexpected(begun.error());
    }
    return append_to_store(folder->get(), name_, config_.identity, records);
}

void TranslationStore::fork_child() {
    pending_ = Batch();
    writing_ = false;
    mutex_.unlock();
}

}  // namespace weft::accel
