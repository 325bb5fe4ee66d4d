using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Resources;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>Another app that wants something of the workflows of this one.</summary>
/// <param name="IsKnown">Who it is has not merely been said: its sidecar is in this process.</param>
internal readonly record struct WorkflowCaller(string AppId, bool IsKnown);

/// <summary>
/// What other apps may do with the workflows and activities of this one (https://docs.dapr.io/operations/security/workflow-access-policy/): everything where no policy is loaded, otherwise
/// what some rule of some policy allows. The own app is never asked. A caller whose identity cannot be verified is refused whatever the rules say, as by daprd without mTLS.
/// </summary>
/// <param name="policies">As they are loaded at the moment.</param>
internal sealed partial class WorkflowAccess(Func<IReadOnlyList<WorkflowAccessPolicy>> policies, ILogger logger)
{
    /// <summary>Callers learn no more than this; the log of this sidecar says the rest.</summary>
    public const string Refusal = "access denied by workflow access policy";

    public bool AllowsActivity(WorkflowCaller caller, string name, PropagatedHistory? shown) =>
        Allows(caller, "schedule", "activity", name, rule => rule.Activities.Any(grant => Fits(grant, name, shown)));

    /// <param name="operation">schedule, terminate, raise, pause, resume, purge, get or rerun.</param>
    /// <param name="shown">What the caller shows of its history, for rules that require something to be in it.</param>
    public bool AllowsWorkflow(WorkflowCaller caller, string operation, string name, PropagatedHistory? shown = null) =>
        Allows(caller, operation, "workflow", name, rule => rule.Workflows.Any(grant => grant.Operations.Contains(operation) && Fits(grant, name, shown)));

    private bool Allows(WorkflowCaller caller, string operation, string kind, string name, Func<WorkflowAccessRule, bool> grants)
    {
        var loaded = policies();
        if (loaded.Count == 0)
            return true;
        if (!caller.IsKnown)
        {
            LogUnknown(caller.AppId, operation, kind, name);
            return false;
        }

        if (loaded.Any(policy => policy.Rules.Any(rule => rule.Callers.Contains(caller.AppId) && grants(rule))))
            return true;
        LogDenied(caller.AppId, operation, kind, name);
        return false;
    }

    private static bool Fits(WorkflowAccessGrant grant, string name, PropagatedHistory? shown) => NamePattern.Matches(grant.Name, name) && (grant.Requires.Count == 0 || Holds(grant.Requires, shown));

    private static bool Holds(IReadOnlyList<WorkflowAccessRequirement> required, PropagatedHistory? shown)
    {
        if (shown is null)
            return false;
        var chunks = shown.Chunks.Select(chunk => new ShownChunk(chunk)).ToArray();
        return required.All(requirement => chunks.Any(chunk => chunk.Has(requirement)));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "workflow access policy: app '{Caller}' was denied to {Operation} {Kind} '{Name}'")]
    private partial void LogDenied(string caller, string operation, string kind, string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "workflow access policy: app '{Caller}' was denied to {Operation} {Kind} '{Name}': its identity cannot be verified without mTLS")]
    private partial void LogUnknown(string caller, string operation, string kind, string name);

    private sealed class ShownChunk(PropagatedHistoryChunk chunk)
    {
        private readonly List<HistoryEvent> _events = [.. chunk.RawEvents.Select(HistoryEvent.Parser.ParseFrom)];

        public bool Has(WorkflowAccessRequirement requirement)
        {
            if (requirement.AppId is { } app && app != chunk.AppId)
                return false;
            var isStart = requirement.Status == "Started";
            return requirement.EventType switch
            {
                "event" => requirement.Status == "Raised" && _events.Exists(e => e.EventRaised?.Name == requirement.Name),
                "activity" when isStart => _events.Exists(e => e.TaskScheduled?.Name == requirement.Name),
                "activity" when requirement.Status == "Completed" => _events.Exists(e => e.TaskCompleted is { } end && Scheduled(end.TaskScheduledId)?.TaskScheduled?.Name == requirement.Name),
                "workflow" when isStart => chunk.WorkflowName == requirement.Name || _events.Exists(e => e.ChildWorkflowInstanceCreated?.Name == requirement.Name),
                "workflow" when requirement.Status == "Completed" =>
                    _events.Exists(e => e.ChildWorkflowInstanceCompleted is { } end && Scheduled(end.TaskScheduledId)?.ChildWorkflowInstanceCreated?.Name == requirement.Name),
                _ => false,
            };
        }

        private HistoryEvent? Scheduled(int id) => _events.Find(e => e.EventId == id);
    }
}

/// <summary>Patterns of names, matched as a whole: <c>*</c> is any characters but '/', <c>?</c> one of them, <c>[a-z]</c> one of a class, <c>[^a-z]</c> one outside it, a backslash takes the next as it is.</summary>
internal static class NamePattern
{
    /// <summary>False for a malformed pattern too.</summary>
    public static bool Matches(string pattern, string name)
    {
        var (p, n) = (0, 0);
        var (starred, resume) = (-1, 0);
        while (true)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                (starred, resume) = (++p, n);
                continue;
            }

            if (p == pattern.Length && n == name.Length)
                return true;
            if (p < pattern.Length && n < name.Length && One(pattern, p, name[n]) is > 0 and var next)
            {
                (p, n) = (next, n + 1);
                continue;
            }

            // The last star takes one character more.
            if (starred < 0 || resume >= name.Length || name[resume] == '/')
                return false;
            (p, n) = (starred, ++resume);
        }
    }

    // Where the pattern goes on after one character; 0 where that does not fit or the pattern is malformed.
    private static int One(string pattern, int p, char c)
    {
        switch (pattern[p])
        {
            case '?':
                return c == '/' ? 0 : p + 1;
            case '\\':
                return p + 1 < pattern.Length && pattern[p + 1] == c ? p + 2 : 0;
            case '[':
                return Class(pattern, p + 1, c);
            case var literal:
                return literal == c ? p + 1 : 0;
        }
    }

    private static int Class(string pattern, int p, char c)
    {
        var isNegated = p < pattern.Length && pattern[p] == '^';
        if (isNegated)
            p++;
        var isMember = false;
        for (var isFirst = true; ; isFirst = false)
        {
            if (p < pattern.Length && pattern[p] == ']' && !isFirst)
                return isMember != isNegated ? p + 1 : 0;
            if (!Member(out var low))
                return 0;
            var high = low;
            if (p < pattern.Length && pattern[p] == '-')
            {
                p++;
                if (!Member(out high))
                    return 0;
            }

            isMember |= low <= c && c <= high;
        }

        bool Member(out char member)
        {
            member = default;
            if (p >= pattern.Length || pattern[p] is '-' or ']')
                return false;
            if (pattern[p] == '\\' && ++p >= pattern.Length)
                return false;
            member = pattern[p++];
            return p < pattern.Length;
        }
    }
}
