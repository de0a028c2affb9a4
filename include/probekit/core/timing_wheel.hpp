// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <probekit/core/duration.hpp>

namespace probekit::inline v0 {

/// A hierarchical timing wheel: any number of future moments, each put in and taken out in constant time, the earliest
/// known exactly. No clock, no memory of its own beyond 25 KB of slots, no locks; the nodes are the caller's.
///
/// Four levels of 256 slots; a slot of level 0 is a millisecond wide, one of level n is as wide as all of level n-1.
/// A node stands at the level of the highest byte in which its tick differs from the current one, so where it stands
/// follows from its time alone and need not be stored. Nodes more than 2^32 ms away wait in a list of their own. The
/// current millisecond's are in the order of their time, so that stepping through it does not look at each every time.
class TimingWheel {
public:
    /// A moment, linked into at most one wheel. Must stay in place while linked, and be erased before it dies.
    class Node {
    public:
        Node() = default;
        Node(const Node&) = delete;
        Node& operator=(const Node&) = delete;

        [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
        [[nodiscard]] TimePoint due() const noexcept { return due_; }

    private:
        friend class TimingWheel;

        Node* prev_ = nullptr;
        Node* next_ = nullptr;
        TimePoint due_ = {};
    };

    /// `now` is the earliest moment the wheel can tell from others; what is due before counts as due then.
    explicit TimingWheel(TimePoint now) noexcept : origin_(now) {
        for (auto& level : slots_)
            for (Slot& slot : level) slot.reset();
        far_.reset();
        ready_.reset();
    }
    TimingWheel(const TimingWheel&) = delete;
    TimingWheel& operator=(const TimingWheel&) = delete;

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Links a node that is not linked.
    void insert(Node& node, TimePoint due) noexcept {
        node.due_ = due;
        ++size_;
        const Position position = position_of(due);
        if (is_current(position))
            at(position).insert_in_order(node);
        else
            at(position).push_back(node);
        occupy(position);
    }

    /// Unlinks a linked node.
    void erase(Node& node) noexcept {
        const Position position = position_of(node.due_);
        unlink(node);
        --size_;
        Slot& slot = at(position);
        if (slot.is_empty())
            vacate(position);
        else if (is_current(position))
            slot.set_min(slot.first()->due_);
        else if (node.due_ == slot.min())
            slot.set_min(unknown); // only a walk over the slot can tell, and it is made only if somebody asks
    }

    /// The earliest moment in the wheel; TimePoint::max() if it is empty, TimePoint::min() if nodes wait for pop().
    [[nodiscard]] TimePoint next_due() noexcept {
        if (!ready_.is_empty()) return TimePoint::min();
        Slot* slot = &far_;
        for (std::size_t level = 0; level != levels; ++level) {
            const int index = occupied_[level].first_from(byte_of(tick_, level));
            if (index < 0) continue;
            slot = &slots_[level][static_cast<std::size_t>(index)];
            break;
        }
        if (slot->min() == unknown) slot->find_min();
        return slot->min();
    }

    /// Moves time on: what is due at `now` is ready for pop(). Time that goes backwards changes nothing.
    void advance(TimePoint now) noexcept {
        const std::uint64_t target = tick_of(now);
        for (;;) {
            take_due(now);
            if (tick_ >= target) return;
            const std::uint64_t next = next_occupied();
            if (next > target) {
                tick_ = target;
                return;
            }
            tick_ = next;
            cascade();
            at(current()).sort();
        }
    }

    /// Unlinks and returns the next node that was due at the last advance(), nullptr if there is none.
    [[nodiscard]] Node* pop() noexcept {
        if (ready_.is_empty()) return nullptr;
        Node* node = ready_.first();
        unlink(*node);
        --size_;
        return node;
    }

    /// The node pop() would return: whoever shares nodes between threads takes a reference to its owner before it is
    /// unlinked, else the owner may see it unlinked and go.
    [[nodiscard]] Node* peek() const noexcept { return ready_.is_empty() ? nullptr : ready_.first(); }

    /// Unlinks every node, due or not, in no particular order; nullptr when none is left.
    [[nodiscard]] Node* pop_any() noexcept {
        for (; size_ != 0; advance(next_due()))
            if (Node* node = pop()) return node;
        return nullptr;
    }

private:
    static constexpr std::size_t levels = 4;
    static constexpr std::size_t slot_bits = 8;
    static constexpr std::size_t slots_per_level = std::size_t{1} << slot_bits;
    static constexpr TimePoint unknown = TimePoint::min();

    // A circular list whose sentinel's due time is the earliest in it, `unknown` if a walk has to find it.
    class Slot {
    public:
        void reset() noexcept {
            head_.prev_ = head_.next_ = &head_;
            head_.due_ = TimePoint::max();
        }
        [[nodiscard]] bool is_empty() const noexcept { return head_.next_ == &head_; }
        [[nodiscard]] Node* first() const noexcept { return head_.next_; }
        [[nodiscard]] const Node* end() const noexcept { return &head_; }
        [[nodiscard]] TimePoint min() const noexcept { return head_.due_; }
        void set_min(TimePoint min) noexcept { head_.due_ = min; }

        void push_back(Node& node) noexcept { insert_behind(*head_.prev_, node); }

        // Into a list that is in order, behind those of the same time.
        void insert_in_order(Node& node) noexcept {
            Node* before = is_empty() || node.due_ < first()->due_ ? &head_ : head_.prev_;
            while (before != &head_ && node.due_ < before->due_) before = before->prev_;
            insert_behind(*before, node);
        }

        // Those of the same time stay in the order they came in.
        void sort() noexcept {
            const Node* node = first();
            while (node != end() && (node->next_ == end() || !(node->next_->due_ < node->due_))) node = node->next_;
            if (node == end()) return; // as it is most of the time

            head_.prev_->next_ = nullptr;
            std::array<Node*, 64>
                runs{}; // in order each; the one at n has 2^n nodes, and all of them came before those at n-1
            for (Node* rest = first(); rest != nullptr;) {
                Node* run = rest;
                rest = rest->next_;
                run->next_ = nullptr;
                std::size_t n = 0;
                for (; runs[n] != nullptr; ++n) run = merge(std::exchange(runs[n], nullptr), run);
                runs[n] = run;
            }
            Node* sorted = nullptr;
            for (Node* const run : runs) sorted = merge(run, sorted);
            head_.prev_ = head_.next_ = &head_;
            while (sorted != nullptr) push_back(*std::exchange(sorted, sorted->next_));
        }
        void find_min() noexcept {
            head_.due_ = TimePoint::max();
            for (const Node* node = first(); node != end(); node = node->next_)
                head_.due_ = std::min(head_.due_, node->due_);
        }

    private:
        void insert_behind(Node& before, Node& node) noexcept {
            node.prev_ = &before;
            node.next_ = before.next_;
            before.next_->prev_ = &node;
            before.next_ = &node;
            head_.due_ = std::min(head_.due_, node.due_);
        }

        // Two lists that end with a null pointer; of the same time, `one` comes first.
        [[nodiscard]] static Node* merge(Node* one, Node* other) noexcept {
            Node* merged = nullptr;
            Node** end = &merged;
            while (one != nullptr && other != nullptr) {
                Node*& earlier = other->due_ < one->due_ ? other : one;
                *end = earlier;
                end = &earlier->next_;
                earlier = *end;
            }
            *end = one != nullptr ? one : other;
            return merged;
        }

        Node head_;
    };

    class Bitmap {
    public:
        void set(std::size_t index) noexcept { words_[index / 64] |= std::uint64_t{1} << index % 64; }
        void clear(std::size_t index) noexcept { words_[index / 64] &= ~(std::uint64_t{1} << index % 64); }

        // The first set bit not before `index`, -1 if there is none.
        [[nodiscard]] int first_from(std::size_t index) const noexcept {
            std::size_t word = index / 64;
            std::uint64_t bits = words_[word] & (~std::uint64_t{0} << index % 64);
            while (bits == 0) {
                if (++word == words_.size()) return -1;
                bits = words_[word];
            }
            return static_cast<int>(word * 64) + std::countr_zero(bits);
        }

    private:
        std::array<std::uint64_t, slots_per_level / 64> words_{};
    };

    struct Position {
        std::size_t level; // `levels`: the far list
        std::size_t index;
    };

    [[nodiscard]] static std::size_t byte_of(std::uint64_t tick, std::size_t level) noexcept {
        return static_cast<std::size_t>(tick >> (slot_bits * level)) % slots_per_level;
    }

    [[nodiscard]] std::uint64_t tick_of(TimePoint time) const noexcept {
        if (time <= origin_) return 0;
        // In unsigned arithmetic: the origin may lie before the clock's epoch, and max() minus that overflows.
        const std::uint64_t span = static_cast<std::uint64_t>(time.time_since_epoch().count()) -
                                   static_cast<std::uint64_t>(origin_.time_since_epoch().count());
        return span / 1'000'000;
    }

    [[nodiscard]] Position position_of(TimePoint due) const noexcept {
        const std::uint64_t tick = std::max(tick_of(due), tick_);
        const std::uint64_t difference = tick ^ tick_;
        const std::size_t level =
            difference == 0 ? 0 : (static_cast<std::size_t>(std::bit_width(difference)) - 1) / slot_bits;
        return level < levels ? Position{level, byte_of(tick, level)} : Position{levels, 0};
    }

    [[nodiscard]] Slot& at(Position position) noexcept {
        return position.level == levels ? far_ : slots_[position.level][position.index];
    }

    // The slot of the millisecond that it is.
    [[nodiscard]] Position current() const noexcept { return {0, byte_of(tick_, 0)}; }
    [[nodiscard]] bool is_current(Position position) const noexcept {
        return position.level == 0 && position.index == byte_of(tick_, 0);
    }

    void occupy(Position position) noexcept {
        if (position.level != levels) occupied_[position.level].set(position.index);
    }

    void vacate(Position position) noexcept {
        at(position).set_min(TimePoint::max());
        if (position.level != levels) occupied_[position.level].clear(position.index);
    }

    static void unlink(Node& node) noexcept {
        node.prev_->next_ = node.next_;
        node.next_->prev_ = node.prev_;
        node.prev_ = node.next_ = nullptr;
    }

    // The current slot's due nodes become ready. Those due later in its millisecond stay.
    void take_due(TimePoint now) noexcept {
        Slot& slot = at(current());
        if (slot.is_empty()) return;
        while (!slot.is_empty() && slot.first()->due_ <= now) {
            Node& node = *slot.first();
            unlink(node);
            ready_.push_back(node);
        }
        if (slot.is_empty())
            vacate(current());
        else
            slot.set_min(slot.first()->due_);
    }

    // The tick at which the next occupied slot begins; every such slot lies ahead, by the way levels are chosen.
    [[nodiscard]] std::uint64_t next_occupied() const noexcept {
        for (std::size_t level = 0; level != levels; ++level) {
            const std::size_t here = byte_of(tick_, level);
            if (here + 1 == slots_per_level) continue;
            const int index = occupied_[level].first_from(here + 1);
            if (index < 0) continue;
            const std::size_t shift = slot_bits * level;
            const std::uint64_t above = tick_ >> (shift + slot_bits) << (shift + slot_bits);
            return above | static_cast<std::uint64_t>(index) << shift;
        }
        constexpr std::size_t span = slot_bits * levels;
        return far_.is_empty() ? ~std::uint64_t{0} : ((tick_ >> span) + 1) << span;
    }

    // Time has just entered slots above level 0: their nodes move down.
    void cascade() noexcept {
        for (std::size_t level = levels; level != 0; --level) {
            if (tick_ % (std::uint64_t{1} << (slot_bits * level)) != 0) continue;
            const Position here{level, level == levels ? 0 : byte_of(tick_, level)};
            Slot& slot = at(here);
            if (slot.is_empty()) continue;
            Slot moving;
            moving.reset();
            while (!slot.is_empty()) {
                Node& node = *slot.first();
                unlink(node);
                moving.push_back(node);
            }
            vacate(here);
            while (!moving.is_empty()) {
                Node& node = *moving.first();
                unlink(node);
                const Position there = position_of(node.due_); // a far node may be far still, hence the list in between
                at(there).push_back(node);
                occupy(there);
            }
        }
    }

    TimePoint origin_;
    std::uint64_t tick_ = 0; // milliseconds from the origin to the last advance()
    std::size_t size_ = 0;
    std::array<std::array<Slot, slots_per_level>, levels> slots_;
    std::array<Bitmap, levels> occupied_;
    Slot far_;   // further away than the levels reach
    Slot ready_; // due, waiting for pop()
};

} // namespace probekit::inline v0
