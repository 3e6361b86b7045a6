// The debugger's list of generated code: one of the few mutable globals, since the debugger finds it by its name.
#include "accel/tcg/observe/gdb_jit.h"

#include <cstdint>
#include <utility>

#include "base/mutex.h"

extern "C" {

// As the interface has them.
enum jit_actions_t : uint32_t { JIT_NOACTION = 0, JIT_REGISTER_FN, JIT_UNREGISTER_FN };

struct jit_code_entry {
    jit_code_entry* next_entry;
    jit_code_entry* prev_entry;
    const char* symfile_addr;
    uint64_t symfile_size;
};

struct jit_descriptor {
    uint32_t version;
    uint32_t action_flag;
    jit_code_entry* relevant_entry;
    jit_code_entry* first_entry;
};

// Written under the lock below; read by the debugger, which stops the process in the function.
__attribute__((visibility("default"))) extern jit_descriptor __jit_debug_descriptor;
constinit jit_descriptor __jit_debug_descriptor = {1, JIT_NOACTION, nullptr, nullptr};

// The debugger has a breakpoint here.
__attribute__((visibility("default"), noinline)) void __jit_debug_register_code();
void __jit_debug_register_code() {
    // Neither this call nor the stores before it may be optimized away.
    asm volatile("" ::: "memory");
}
}

namespace weft::accel {

namespace {

constinit Mutex list_mutex;  // guards the descriptor and the entries' links; a leaf

}  // namespace

struct DebuggerEntry::Listed {
    std::string symbol_file;
    jit_code_entry entry;
};

DebuggerEntry::DebuggerEntry(std::string symbol_file)
    : listed_(symbol_file.empty() ? nullptr : new Listed{std::move(symbol_file), {}}) {
    if (listed_ == nullptr) {
        return;
    }
    jit_code_entry& entry = listed_->entry;
    entry.symfile_addr = listed_->symbol_file.data();
    entry.symfile_size = listed_->symbol_file.size();
    MutexLock lock(list_mutex);
    entry.next_entry = __jit_debug_descriptor.first_entry;
    if (entry.next_entry != nullptr) {
        entry.next_entry->prev_entry = &entry;
    }
    __jit_debug_descriptor.first_entry = &entry;
    __jit_debug_descriptor.relevant_entry = &entry;
    __jit_debug_descriptor.action_flag = JIT_REGISTER_FN;
    __jit_debug_register_code();
}

DebuggerEntry::~DebuggerEntry() {
    if (listed_ == nullptr) {
        return;
    }
    jit_code_entry& entry = listed_->entry;
    MutexLock lock(list_mutex);
    (entry.prev_entry != nullptr ? entry.prev_entry->next_entry : __jit_debug_descriptor.first_entry) =
        entry.next_entry;
    if (entry.next_entry != nullptr) {
        entry.next_entry->prev_entry = entry.prev_entry;
    }
    __jit_debug_descriptor.relevant_entry = &entry;
    __jit_debug_descriptor.action_flag = JIT_UNREGISTER_FN;
    __jit_debug_register_code();
    __jit_debug_descriptor.relevant_entry = nullptr;
    __jit_debug_descriptor.action_flag = JIT_NOACTION;
}

}  // namespace weft::accel
