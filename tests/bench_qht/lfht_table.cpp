// The flavour's names without prefix, and its small functions inline: what makes it fastest.
#define URCU_API_MAP
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu/urcu-qsbr.h>
// After the flavour, which it takes its read sections from.
#include <urcu/rculfhash.h>

#include <bit>

#include "base/assert.h"
#include "tests/bench_qht/tables.h"

namespace weft::bench {
namespace {

struct Object {
    cds_lfht_node node;
    std::uint64_t key;
};

Object* object_of(cds_lfht_node* node) { return reinterpret_cast<Object*>(node); }

int same_key(cds_lfht_node* node, const void* key) {
    return object_of(node)->key == *static_cast<const std::uint64_t*>(key) ? 1 : 0;
}

}  // namespace

// As many buckets as entries, in one array, and fixed: with automatic growth it went far beyond what the entries need and
// became slower.
LfhtTable::LfhtTable(std::uint64_t entries)
    : table_(
          cds_lfht_new(std::bit_ceil(entries), std::bit_ceil(entries), std::bit_ceil(entries), 0, nullptr)) {
    WEFT_ASSERT(table_ != nullptr);
}

LfhtTable::~LfhtTable() {
    urcu_qsbr_register_thread();
    std::vector<Object*> objects;
    cds_lfht_iter iterator;
    for (cds_lfht_first(table_, &iterator); cds_lfht_iter_get_node(&iterator) != nullptr;
         cds_lfht_next(table_, &iterator)) {
        objects.push_back(object_of(cds_lfht_iter_get_node(&iterator)));
    }
    for (Object* const object : objects) {
        cds_lfht_del(table_, &object->node);
    }
    urcu_qsbr_synchronize_rcu();
    for (Object* const object : objects) {
        delete object;
    }
    urcu_qsbr_unregister_thread();
    cds_lfht_destroy(table_, nullptr);
}

LfhtTable::Thread::Thread(LfhtTable&) { urcu_qsbr_register_thread(); }

LfhtTable::Thread::~Thread() {
    reclaim();
    delete static_cast<Object*>(spare_);
    urcu_qsbr_unregister_thread();
}

void LfhtTable::Thread::reclaim() {
    urcu_qsbr_synchronize_rcu();
    for (void* const object : removed_) {
        delete static_cast<Object*>(object);
    }
    removed_.clear();
}

bool LfhtTable::contains(Thread&, std::uint64_t key) const {
    cds_lfht_iter iterator;
    urcu_qsbr_read_lock();
    cds_lfht_lookup(table_, hash_of(key), same_key, &key, &iterator);
    urcu_qsbr_read_unlock();
    return cds_lfht_iter_get_node(&iterator) != nullptr;
}

bool LfhtTable::insert(Thread& thread, std::uint64_t key) {
    if (thread.spare_ == nullptr) {
        thread.spare_ = new Object;
    }
    auto* const object = static_cast<Object*>(thread.spare_);
    cds_lfht_node_init(&object->node);
    object->key = key;
    urcu_qsbr_read_lock();
    cds_lfht_node* const present = cds_lfht_add_unique(table_, hash_of(key), same_key, &key, &object->node);
    urcu_qsbr_read_unlock();
    if (present != &object->node) {
        return false;
    }
    thread.spare_ = nullptr;
    return true;
}

bool LfhtTable::remove(Thread& thread, std::uint64_t key) {
    cds_lfht_iter iterator;
    urcu_qsbr_read_lock();
    cds_lfht_lookup(table_, hash_of(key), same_key, &key, &iterator);
    cds_lfht_node* const node = cds_lfht_iter_get_node(&iterator);
    const bool removed = node != nullptr && cds_lfht_del(table_, node) == 0;
    urcu_qsbr_read_unlock();
    if (removed) {
        thread.removed_.push_back(object_of(node));
    }
    return removed;
}

void LfhtTable::quiescent(Thread& thread) {
    urcu_qsbr_quiescent_state();
    if (thread.removed_.size() >= kBatch) {
        thread.reclaim();
    }
}

}  // namespace weft::bench
