using System.Runtime.CompilerServices;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.StandIns;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>The way from a sidecar to its scheduler.</summary>
internal static class Schedulers
{
    private const int Port = 50006;
    private static readonly ConditionalWeakTable<SidecarRuntime, HomedScheduler> Known = [];

    /// <summary>The sidecar has a scheduler: <c>--scheduler-host-address</c> is given.</summary>
    public static bool IsOn(SidecarRuntime runtime) => runtime.Options.SchedulerHostAddress.Length > 0;

    /// <exception cref="SchedulerException">There is none, or it cannot be reached.</exception>
    public static async ValueTask<IScheduler> OfAsync(SidecarRuntime runtime, CancellationToken cancellationToken = default)
    {
        if (!IsOn(runtime))
            throw new SchedulerException(SchedulerRefusal.Unavailable, "scheduler clients are disabled");
        try
        {
            if (Known.TryGetValue(runtime, out var known))
                return known;
            var scheduler = await runtime.Engine.StandIns.GetAsync(StandInKinds.Scheduler, StandInAddress.Of(runtime.Options.SchedulerHostAddress, Port), cancellationToken).ConfigureAwait(false);
            return Known.GetValue(runtime, r => new HomedScheduler(scheduler, Path.GetFullPath(r.Options.ResourcesPaths.Count > 0 ? r.Options.ResourcesPaths[0] : Environment.CurrentDirectory)));
        }
        catch (Exception e) when (e is StandInException or IOException)
        {
            throw new SchedulerException(SchedulerRefusal.Unavailable, e.Message, e);
        }
    }
}
