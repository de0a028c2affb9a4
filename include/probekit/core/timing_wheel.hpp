// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/detail/to_size.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// A hierarchical timing wheel: any number of future moments, each inserted and erased in constant
/// time, the earliest known exactly. It has no clock and no locks, and no memory but 50 KB of
/// slots: the nodes are the caller's.
///
/// Four levels of 256 slots; a slot of level 0 is a millisecond wide, one of level n is as wide as
/// all of level n-1. A node stands at the level of the highest byte in which its tick differs from
/// the current one, so where it stands follows from its time alone and need not be stored. Nodes
/// more than 2^32 ms away wait in a list of their own.
///
/// When time enters a slot, its nodes move down a level, and at level 0 they are sorted. But nodes
/// that were inserted in the order of their times, as those of one period are, form a list of their
/// own in each slot, which time consumes from its front without moving it. Such a node is touched
/// when it is inserted and when it is due, and not in between: each touch would be a wait for
/// memory once there are more nodes than the processor's caches hold.
class TimingWheel {
public:
    /// A moment, linked into at most one wheel. While it is linked it must stay where it is, and it
    /// must be unlinked before it is destroyed.
    class Node {
    public:
        Node() = default;
        Node(const Node&) = delete;
        Node& operator=(const Node&) = delete;
        ~Node() { PROBEKIT_ASSERT(!linked()); }

        [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
        [[nodiscard]] TimePoint due() const noexcept { return due_; }

    private:
        friend class TimingWheel;

        Node* prev_ = nullptr;
        Node* next_ = nullptr;
        TimePoint due_ = {};
    };

    /// `now` is the wheel's origin: nodes that are due earlier all count as due at that moment.
    explicit TimingWheel(TimePoint now) noexcept : origin_(now) {}
    TimingWheel(const TimingWheel&) = delete;
    TimingWheel& operator=(const TimingWheel&) = delete;
    ~TimingWheel() { PROBEKIT_ASSERT(empty()); }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Links a node that is not linked.
    void insert(Node& node, TimePoint due) noexcept {
        PROBEKIT_ASSERT(!node.linked());
        node.due_ = due;
        ++size_;
        if (tick_of(due) <= tick_)
            entered_[0].insert_in_order(node);
        else
            put(position_of(due), node);
    }

    /// Unlinks a linked node.
    void erase(Node& node) noexcept {
        PROBEKIT_ASSERT(node.linked() && size_ != 0);
        const Position position = position_of(node.due_);
        unlink(node);
        --size_;
        // If the node was ready, or in a slot that has been entered, the rest does nothing useful
        // and no harm.
        Slot& slot = at(position);
        if (slot.is_empty())
            vacate(position);
        else if (node.due_ == slot.others.bound())
            slot.others.set_bound(unknown);
    }

    /// The earliest moment in the wheel; TimePoint::max() if it is empty, TimePoint::min() if nodes
    /// wait for pop().
    [[nodiscard]] TimePoint next_due() noexcept {
        if (!ready_.is_empty()) return TimePoint::min();
        TimePoint next = at(first_occupied()).earliest();
        for (const List& entered : entered_) next = std::min(next, entered.front());
        return next;
    }

    /// Moves time on: nodes that are due at `now` become ready for pop(). An earlier time than the
    /// last changes nothing.
    void advance(TimePoint now) noexcept {
        const std::uint64_t target = tick_of(now);
        for (;;) {
            const std::uint64_t next = beginning_of(first_occupied());
            if (next > target) break;
            take_due(time_of(next) - Duration{1});
            tick_ = next;
            enter_slots();
        }
        take_due(now);
        tick_ = std::max(tick_, target);
    }

    /// Unlinks and returns the next node that was due at the last advance(), nullptr if there is
    /// none.
    [[nodiscard]] Node* pop() noexcept {
        Node* node = peek();
        if (node == nullptr) return nullptr;
        prefetch(*node->next_->next_);
        unlink(*node);
        --size_;
        return node;
    }

    /// The node that pop() would return. A caller who shares nodes between threads takes a
    /// reference to the node's owner before pop(): an owner that sees its node unlinked may destroy
    /// it.
    [[nodiscard]] Node* peek() const noexcept {
        return ready_.is_empty() ? nullptr : ready_.first();
    }

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

    // A circular list. The due time of its sentinel, the bound, has a meaning that the list's user
    // gives it.
    class List {
    public:
        explicit List(TimePoint bound = TimePoint::max()) noexcept {
            set_bound(bound);
            clear();
        }
        List(const List&) = delete;
        List& operator=(const List&) = delete;
        ~List() { head_.next_ = nullptr; } // no node any more

        [[nodiscard]] bool is_empty() const noexcept { return head_.next_ == &head_; }
        [[nodiscard]] Node* first() const noexcept { return head_.next_; }
        [[nodiscard]] const Node* end() const noexcept { return &head_; }
        [[nodiscard]] TimePoint bound() const noexcept { return head_.due_; }
        void set_bound(TimePoint bound) noexcept { head_.due_ = bound; }

        // The time of the first node; the bound if the list is empty.
        [[nodiscard]] TimePoint front() const noexcept { return head_.next_->due_; }

        void push_back(Node& node) noexcept { insert_behind(*head_.prev_, node); }

        // Takes all nodes of another list.
        void take(List& from) noexcept {
            if (!from.is_empty()) take(*from.first(), *from.head_.prev_);
        }

        // Takes the nodes from `first` to `last` of another list.
        void take(Node& first, Node& last) noexcept {
            first.prev_->next_ = last.next_;
            last.next_->prev_ = first.prev_;
            first.prev_ = head_.prev_;
            head_.prev_->next_ = &first;
            last.next_ = &head_;
            head_.prev_ = &last;
        }

        // Inserts into a sorted list, behind nodes of the same time.
        void insert_in_order(Node& node) noexcept {
            Node* before = is_empty() || node.due_ < first()->due_ ? &head_ : head_.prev_;
            while (before != &head_ && node.due_ < before->due_) before = before->prev_;
            insert_behind(*before, node);
        }

        // Merge sort; nodes of the same time keep their order.
        void sort() noexcept {
            head_.prev_->next_ = nullptr;
            // Sorted each. The run at n has 2^n nodes, which all stood before those of the run at
            // n-1.
            std::array<Node*, 64> runs{};
            for (Node* rest = first(); rest != nullptr;) {
                Node* run = std::exchange(rest, rest->next_);
                run->next_ = nullptr;
                std::size_t n = 0;
                for (; runs[n] != nullptr; ++n) run = merge(std::exchange(runs[n], nullptr), run);
                runs[n] = run;
            }
            Node* sorted = nullptr;
            for (Node* const run : runs) sorted = merge(run, sorted);
            clear();
            while (sorted != nullptr) push_back(*std::exchange(sorted, sorted->next_));
        }

    private:
        void clear() noexcept { head_.prev_ = head_.next_ = &head_; }

        static void insert_behind(Node& before, Node& node) noexcept {
            node.prev_ = &before;
            node.next_ = before.next_;
            before.next_->prev_ = &node;
            before.next_ = &node;
        }

        // Merges two runs that end with a null pointer. At equal times the nodes of `front` come
        // first.
        [[nodiscard]] static Node* merge(Node* front, Node* back) noexcept {
            Node* merged = nullptr;
            Node** end = &merged;
            while (front != nullptr && back != nullptr) {
                Node*& earlier = back->due_ < front->due_ ? back : front;
                *end = earlier;
                end = &earlier->next_;
                earlier = *end;
            }
            *end = front != nullptr ? front : back;
            return merged;
        }

        Node head_;
    };

    struct Slot {
        [[nodiscard]] bool is_empty() const noexcept {
            return in_order.is_empty() && others.is_empty();
        }

        void put(Node& node) noexcept {
            if (node.due_ >= in_order.bound()) {
                in_order.set_bound(node.due_);
                in_order.push_back(node);
            } else {
                others.set_bound(std::min(others.bound(), node.due_));
                others.push_back(node);
            }
        }

        [[nodiscard]] TimePoint earliest() noexcept {
            if (others.bound() == unknown) {
                TimePoint min = TimePoint::max();
                for (const Node* node = others.first(); node != others.end(); node = node->next_)
                    min = std::min(min, node->due_);
                others.set_bound(min);
            }
            return in_order.is_empty() ? others.bound()
                                       : std::min(others.bound(), in_order.front());
        }

        // Nodes of the same time fire in the order of their insertion, those of `in_order` before
        // the others. So the bound of this list is the latest time that was ever appended, and does
        // not decrease when that node is erased.
        List in_order{TimePoint::min()};
        // The bound is the earliest time, or `unknown`: then earliest() walks the list.
        List others{TimePoint::max()};
    };

    class Bitmap {
    public:
        void set(std::size_t index) noexcept {
            words_[index / 64] |= std::uint64_t{1} << index % 64;
        }
        void clear(std::size_t index) noexcept {
            words_[index / 64] &= ~(std::uint64_t{1} << index % 64);
        }

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
        return detail::to_size(tick >> (slot_bits * level)) % slots_per_level;
    }

    [[nodiscard]] std::uint64_t tick_of(TimePoint time) const noexcept {
        if (time <= origin_) return 0;
        // In unsigned arithmetic: the origin may lie before the clock's epoch, and max() minus that
        // overflows.
        const std::uint64_t span = static_cast<std::uint64_t>(time.time_since_epoch().count()) -
                                   static_cast<std::uint64_t>(origin_.time_since_epoch().count());
        return span / 1'000'000;
    }

    [[nodiscard]] TimePoint time_of(std::uint64_t tick) const noexcept {
        const auto origin = static_cast<std::uint64_t>(origin_.time_since_epoch().count());
        return TimePoint{Duration{static_cast<Duration::rep>(origin + tick * 1'000'000)}};
    }

    [[nodiscard]] Position position_of(TimePoint due) const noexcept {
        const std::uint64_t tick = std::max(tick_of(due), tick_);
        const std::uint64_t difference = tick ^ tick_;
        const std::size_t level =
            difference == 0 ? 0 : (detail::to_size(std::bit_width(difference)) - 1) / slot_bits;
        return level < levels ? Position{level, byte_of(tick, level)} : Position{levels, 0};
    }

    [[nodiscard]] Slot& at(Position position) noexcept {
        return position.level == levels ? far_ : slots_[position.level][position.index];
    }

    void put(Position position, Node& node) noexcept {
        at(position).put(node);
        if (position.level != levels) occupied_[position.level].set(position.index);
    }

    void vacate(Position position) noexcept {
        at(position).in_order.set_bound(TimePoint::min());
        at(position).others.set_bound(TimePoint::max());
        if (position.level != levels) occupied_[position.level].clear(position.index);
    }

    // Firing a node touches the memory around it, in its owner. So that the processor need not wait
    // for each, the memory of a node is prefetched while the node two before it fires.
    static void prefetch([[maybe_unused]] const Node& node) noexcept {
#if defined(__GNUC__)
        const auto at = reinterpret_cast<std::uintptr_t>(&node);
        for (std::uintptr_t line = 0; line != 5; ++line)
            __builtin_prefetch( // NOLINTNEXTLINE(performance-no-int-to-ptr): only a hint
                reinterpret_cast<const void*>(at + 64 * line - 64), 1);
#endif
    }

    static void unlink(Node& node) noexcept {
        node.prev_->next_ = node.next_;
        node.next_->prev_ = node.prev_;
        node.prev_ = node.next_ = nullptr;
    }

    // Makes the nodes that are due in entered slots ready, in the order of their times. Each step
    // takes as many nodes of one level as are due before the first node of any other level. At
    // equal times, nodes of a higher level were inserted first.
    void take_due(TimePoint now) noexcept {
        for (;;) {
            List* from = &entered_[levels - 1];
            TimePoint other = TimePoint::max(); // the earliest time of another level
            for (std::size_t level = levels - 1; level-- != 0;) {
                List& entered = entered_[level];
                const bool earlier = entered.front() < from->front();
                other = std::min(other, (earlier ? *from : entered).front());
                if (earlier) from = &entered;
            }
            if (from->is_empty() || from->front() > now) return;
            Node* last = from->first();
            for (Node* next = last->next_;
                 next != from->end() && next->due_ <= now && next->due_ < other;)
                next = (last = next)->next_;
            ready_.take(*from->first(), *last);
            prefetch(*from->first()->next_);
        }
    }

    // The way levels are chosen, all occupied slots lie ahead. `levels` stands for the far list.
    [[nodiscard]] Position first_occupied() const noexcept {
        for (std::size_t level = 0; level != levels; ++level) {
            const int index = occupied_[level].first_from(byte_of(tick_, level));
            if (index >= 0) return {level, static_cast<std::size_t>(index)};
        }
        return {levels, 0};
    }

    // The tick at which time enters a position.
    [[nodiscard]] std::uint64_t beginning_of(Position position) const noexcept {
        const std::size_t shift = slot_bits * position.level;
        if (position.level == levels)
            return far_.is_empty() ? ~std::uint64_t{0} : ((tick_ >> shift) + 1) << shift;
        return (tick_ >> (shift + slot_bits) << (shift + slot_bits)) | std::uint64_t{position.index}
                                                                           << shift;
    }

    // Time has just entered one slot of each level up to some level. Their nodes that are in order
    // stay a list; the others move down.
    void enter_slots() noexcept {
        for (std::size_t level = levels + 1; level-- != 0;) {
            if (tick_ % (std::uint64_t{1} << (slot_bits * level)) != 0) continue;
            const Position here{level, level == levels ? 0 : byte_of(tick_, level)};
            Slot& slot = at(here);
            if (slot.is_empty()) continue;
            List down;
            (level == levels ? down : entered_[level])
                .take(slot.in_order); // the far ones may be far still
            down.take(slot.others);
            vacate(here);
            if (level == 0 && !down.is_empty()) { // there is nothing further down
                entered_[0].take(down);
                entered_[0].sort();
            }
            while (!down.is_empty()) {
                Node& node = *down.first();
                unlink(node);
                put(position_of(node.due_), node);
            }
        }
    }

    TimePoint origin_;
    std::uint64_t tick_ = 0; // milliseconds from the origin to the last advance()
    std::size_t size_ = 0;
    std::array<std::array<Slot, slots_per_level>, levels> slots_;
    std::array<Bitmap, levels> occupied_;
    Slot far_; // nodes further away than the levels reach
    // What is left of the ordered list of the slot that was entered last, for each level.
    std::array<List, levels> entered_;
    List ready_; // due, waiting for pop()
};

} // namespace probekit::inline PROBEKIT_ABI
