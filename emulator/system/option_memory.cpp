// -numa, -mem-path, and what the board's RAM lies in.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/hw/machine_types.h"
#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

// As many as Linux has by its defaults for this architecture.
constexpr size_t kMostNodes = 4;

// "0-3" or "2".
Result<> add_cpus(std::vector<unsigned>& cpus, const std::string& text, unsigned limit) {
    const size_t dash = text.find('-');
    const std::optional<uint64_t> first = parse_uint(text.substr(0, dash));
    const std::optional<uint64_t> last =
        dash == std::string::npos ? first : parse_uint(text.substr(dash + 1));
    if (!first || !last || *first > *last || *last >= limit) {
        return fail(fmt::format("cpus is a number or FIRST-LAST below {}, not {}", limit, in_quotes(text)));
    }
    for (uint64_t cpu = *first; cpu <= *last; ++cpu) {
        cpus.push_back(static_cast<unsigned>(cpu));
    }
    return {};
}

Result<MemoryChoice> find_memory(const RawOptions& raw, const char* who, const std::string& id) {
    const auto object = std::ranges::find(raw.options.objects, id, &ObjectChoice::id);
    if (object == raw.options.objects.end() || object->kind != ObjectChoice::Kind::memory) {
        return fail(fmt::format("{}: there is no memory object with the id {}", who, in_quotes(id)));
    }
    return MemoryChoice{.id = id,
                        .size = object->size,
                        .path = object->filename,
                        .offset = object->offset,
                        .share = object->share,
                        .populate = object->prealloc || raw.memory_populate};
}

// Nodes by their numbers, each with the CPUs that it was given, and those that nobody named.
Result<> choose_nodes(RawOptions& raw) {
    Options& options = raw.options;
    const size_t count = raw.nodes.size();
    std::vector<const RawOptions::Node*> nodes(count);
    for (size_t i = 0; i < count; ++i) {
        const uint64_t id = raw.nodes[i].id.value_or(i);
        if (id >= count || nodes[id] != nullptr) {
            return fail(fmt::format("-numa: the nodes are numbered from 0 to {}, each once", count - 1));
        }
        nodes[id] = &raw.nodes[i];
    }
    std::vector<bool> taken(options.cpus);
    for (const RawOptions::Node* node : nodes) {
        if (count > 1 && node->memory.empty()) {
            return fail("-numa: each of several nodes needs memdev=ID");
        }
        hw::NumaNode made;
        for (const unsigned cpu : node->cpus) {
            if (cpu >= options.cpus) {
                return fail(fmt::format("-numa: there is no CPU {} (-smp)", cpu));
            }
            if (taken[cpu]) {
                return fail(fmt::format("-numa: CPU {} is in two nodes", cpu));
            }
            taken[cpu] = true;
            made.cpus.push_back(cpu);
        }
        if (!node->memory.empty()) {
            Result<MemoryChoice> memory = find_memory(raw, "-numa", node->memory);
            if (!memory) {
                return std::unexpected(memory.error());
            }
            if (std::ranges::count(options.memory, memory->id, &MemoryChoice::id) != 0) {
                return fail(fmt::format("-numa: {} is the memory of two nodes", in_quotes(memory->id)));
            }
            made.size = memory->size;
            options.memory.push_back(std::move(*memory));
        }
        options.nodes.push_back(std::move(made));
    }
    for (unsigned cpu = 0; cpu < options.cpus; ++cpu) {
        if (!taken[cpu]) {
            options.nodes[cpu * count / options.cpus].cpus.push_back(cpu);
        }
    }
    return {};
}

}  // namespace

Result<> parse_numa(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    RawOptions::Node node;
    std::string type = list->head.value_or("node");
    for (const KeyValue& item : list->items) {
        const std::string text = item.value.value_or("");
        if (item.key == "type") {
            type = text;
        } else if (item.key == "nodeid") {
            node.id = parse_uint(text);
            if (!node.id) {
                return fail(fmt::format("{} is no number of a node", in_quotes(text)));
            }
        } else if (item.key == "memdev") {
            node.memory = text;
        } else if (item.key == "cpus") {
            if (Result<> added = add_cpus(node.cpus, text, hw::machine_types().front().max_cpus); !added) {
                return added;
            }
        } else if (type == "node") {
            return fail(
                fmt::format("unknown parameter {} (there are nodeid, cpus and memdev)", in_quotes(item.key)));
        }
    }
    if (type != "node") {
        return fail(fmt::format(
            "{} is not supported: nodes are given whole, as node,nodeid=N,cpus=FIRST-LAST,memdev=ID",
            in_quotes(type)));
    }
    if (raw.nodes.size() == kMostNodes) {
        return fail(fmt::format("there are {} nodes at most", kMostNodes));
    }
    raw.nodes.push_back(std::move(node));
    return {};
}

Result<> parse_memory_path(RawOptions& raw, const std::string& value) {
    if (value.empty()) {
        return fail("a file or a folder has a name");
    }
    raw.memory_path = value;
    return {};
}

Result<> choose_memory(RawOptions& raw) {
    Options& options = raw.options;
    if (!raw.nodes.empty()) {
        if (Result<> chosen = choose_nodes(raw); !chosen) {
            return chosen;
        }
    }
    const char* who = options.memory.empty() ? "-machine: memory-backend" : "-numa";
    if (!raw.memory_backend.empty()) {
        if (!options.memory.empty()) {
            return fail("-numa: memdev= and the machine property memory-backend exclude each other");
        }
        Result<MemoryChoice> memory = find_memory(raw, who, raw.memory_backend);
        if (!memory) {
            return std::unexpected(memory.error());
        }
        options.memory.push_back(std::move(*memory));
    }
    if (!options.memory.empty()) {
        uint64_t size = 0;
        for (const MemoryChoice& memory : options.memory) {
            size += memory.size;
        }
        if (raw.memory_given && options.memory_bytes != size) {
            return fail(
                fmt::format("{}: {}, and -m asks for {}", who,
                            options.memory.size() == 1
                                ? fmt::format("{} has {}", in_quotes(options.memory[0].id), format_size(size))
                                : fmt::format("the nodes have {}", format_size(size)),
                            format_size(options.memory_bytes)));
        }
        if (Result<> fits = check_memory_size(size); !fits) {
            return std::unexpected(fits.error().within(who));
        }
        options.memory_bytes = size;
    }
    if (!raw.memory_path.empty()) {
        if (!options.memory.empty()) {
            return fail(
                fmt::format("-mem-path: excludes the memory that {} names", in_quotes(options.memory[0].id)));
        }
        MemoryChoice whole;
        whole.size = options.memory_bytes;
        whole.path = raw.memory_path;
        options.memory.push_back(std::move(whole));
    }
    if (raw.memory_populate) {
        if (options.memory.empty()) {
            options.memory.emplace_back().size = options.memory_bytes;
        }
        for (MemoryChoice& memory : options.memory) {
            memory.populate = true;
        }
    }
    if (options.nodes.size() == 1) {
        options.nodes[0].size = options.memory_bytes;
    }
    return {};
}

}  // namespace weft::sys
