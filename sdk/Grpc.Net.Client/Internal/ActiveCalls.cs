namespace Grpc.Net.Client.Internal;

/// <summary>
/// The calls of a channel that have not ended, so that disposing the channel ends them. Lists through the calls themselves,
/// several of them, because every call enters and leaves.
/// </summary>
internal sealed class ActiveCalls
{
    readonly Stripe[] _stripes = [.. Enumerable.Range(0, 8).Select(_ => new Stripe())];
    volatile bool _closed;

    public bool IsClosed => _closed;

    /// <exception cref="ObjectDisposedException">The channel is disposed.</exception>
    public void Enter(GrpcCall call)
    {
        var stripe = _stripes[Environment.CurrentManagedThreadId % _stripes.Length];
        lock (stripe)
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(GrpcChannel));
            call.Stripe = stripe;
            call.Next = stripe.First;
            if (stripe.First is not null)
                stripe.First.Previous = call;
            stripe.First = call;
        }
    }

    public static void Leave(GrpcCall call)
    {
        if (call.Stripe is not { } stripe)
            return;
        lock (stripe)
        {
            if (call.Stripe is null)
                return;
            call.Stripe = null;
            if (call.Previous is null)
                stripe.First = call.Next;
            else
                call.Previous.Next = call.Next;
            if (call.Next is not null)
                call.Next.Previous = call.Previous;
            call.Next = call.Previous = null;
        }
    }

    /// <summary>Ends all calls; false if that was done before.</summary>
    public bool Close()
    {
        if (_closed)
            return false;
        _closed = true;
        foreach (var stripe in _stripes)
        {
            List<GrpcCall> calls = [];
            lock (stripe)
            {
                for (var call = stripe.First; call is not null; call = call.Next)
                    calls.Add(call);
            }

            foreach (var call in calls)
                call.Dispose();
        }

        return true;
    }

    internal sealed class Stripe
    {
        public GrpcCall? First;
    }
}
