using Dapr;
using Dapr.DistributedLock;
using Dapr.DistributedLock.Extensions;
using Dapr.DistributedLock.Models;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Wire = Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sdk.Tests.Packages;

public sealed class DistributedLockTests : SidecarTest
{
    DaprDistributedLockClient Locks() => new DaprDistributedLockBuilder().UseGrpcEndpoint(Sidecar.GrpcEndpoint).Build();

    [Fact]
    public async Task A_lock_that_was_taken_is_freed_once_when_it_is_disposed()
    {
        Sidecar.Answer("TryLockAlpha1", new Wire.TryLockResponse { Success = true });
        using var locks = Locks();
        var taken = await locks.TryLockAsync("locks", "res", "me", 30);
        Assert.NotNull(taken);
        await taken.DisposeAsync();
        await taken.DisposeAsync();
        Assert.Equal(["TryLockAlpha1", "UnlockAlpha1"], Sidecar.Grpc.Select(c => c.Method));
        Assert.Equal("""{ "storeName": "locks", "resourceId": "res", "lockOwner": "me" }""", Sidecar.Grpc.Last().Request.ToString());
    }

    [Fact]
    public async Task A_lock_that_was_not_taken_is_null()
    {
        using var locks = Locks();
        Assert.Null(await locks.TryLockAsync("locks", "res", "me", 30));
    }

    [Fact]
    public async Task Unlock_tells_the_outcomes_apart()
    {
        using var locks = Locks();
        Sidecar.Answer("UnlockAlpha1", new Wire.UnlockResponse { Status = Wire.UnlockResponse.Types.Status.LockBelongsToOthers });
        Assert.Equal(new UnlockResponse(LockStatus.LockBelongsToOthers), await locks.TryUnlockAsync("locks", "res", "me"));
    }

    [Fact]
    public async Task A_refusal_is_a_DaprException()
    {
        Sidecar.Refuse("TryLockAlpha1", StatusCode.FailedPrecondition);
        using var locks = Locks();
        Assert.IsType<RpcException>((await Assert.ThrowsAsync<DaprException>(() => locks.TryLockAsync("locks", "res", "me", 30))).InnerException);
    }

    [Fact]
    public void A_client_is_registered_per_scope()
    {
        var services = new ServiceCollection();
        services.AddDaprDistributedLock((_, b) => b.UseGrpcEndpoint(Sidecar.GrpcEndpoint));
        using var provider = services.BuildServiceProvider();
        using var one = provider.CreateScope();
        using var other = provider.CreateScope();
        Assert.NotSame(one.ServiceProvider.GetRequiredService<DaprDistributedLockClient>(), other.ServiceProvider.GetRequiredService<DaprDistributedLockClient>());
    }
}
